"""From a profile to a plan, a feed and a judge, on a set made here."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dust_compress.train.task_training import open_feed, plan_for, work_folder
from dust_compress.train.validation import validate_pairs
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.training import Shards
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.pairs.shards.sample import PairSample, encode
from dust_core.pairs.shards.tars import write_shards

ROOT = Path(__file__).parents[3]
TINY = Dust3rConfig.uniform(
    enc_dim=32, enc_depth=1, enc_heads=2, dec_dim=32, dec_depth=1, dec_heads=2, head="linear"
)


def samples(pairs: int, scene: str) -> list[dict[str, bytes]]:
    import numpy as np

    rng = np.random.default_rng(0)
    intrinsics = np.array([[60, 0, 31.5], [0, 60, 31.5], [0, 0, 1]], np.float32)
    pose = np.eye(4, dtype=np.float32)
    pose[0, 3] = 0.2
    return [
        encode(
            PairSample(
                images=tuple(rng.integers(0, 256, (2, 64, 64, 3), np.uint8)),
                depths=tuple(rng.uniform(1, 4, (2, 64, 64)).astype(np.float32)),
                intrinsics=(intrinsics, intrinsics),
                view1_from_view2=pose,
                about={"scene": scene, "images": ["a", "b"], "split": "training"},
            )
        )
        for _ in range(pairs)
    ]


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResolvedTask:
    """P0-teacher under the ci profile, with small sets of one known scene."""
    monkeypatch.chdir(tmp_path)
    resolved = resolve(load_specs(ROOT / "specs"), "P0-teacher", "ci")
    scene = resolved.data.training.scenes[0]
    for split in ("training", "validation"):
        write_shards(
            samples(6, scene), Path("data") / split, split=split, licence="made", pairs_per_shard=4
        )
    return resolved


def stage(task: ResolvedTask, **changes: object):
    return task.profile.training.teacher[0].model_copy(update={"batch": 2, "side": 32} | changes)


def test_a_plan_counts_steps_and_warm_up(task: ResolvedTask) -> None:
    plan = plan_for(task, stage(task, pairs_per_epoch=11, warmup=0.2), epochs=4, patience=3)
    assert (plan.steps_per_epoch, plan.steps, plan.warmup_steps) == (5, 20, 4)
    assert plan.precision == "bf16" and plan.patience == 3 and plan.seed == 42


def test_an_epoch_without_a_batch_is_an_error(task: ResolvedTask) -> None:
    with pytest.raises(DustError, match="an epoch of 1 pairs holds no batch of 2"):
        plan_for(task, stage(task, pairs_per_epoch=1), epochs=1)


def test_the_feed_gives_batches_of_the_stages_side_for_ever(task: ResolvedTask) -> None:
    feed = open_feed(task, stage(task))
    batches = [next(feed) for _ in range(5)]  # more than one pass over six pairs
    feed.close()
    assert all(batch.image1.shape == (2, 3, 32, 32) for batch in batches)


def test_a_larger_set_must_be_the_one_that_is_named(task: ResolvedTask) -> None:
    scene = task.data.training.scenes[0]
    folder = Path("data/large")
    named = Shards(manifest="data/large/manifest.json", sha256="0" * 64)
    with pytest.raises(DustError, match="not here"):
        open_feed(task, stage(task, shards=named))
    write_shards(samples(4, scene), folder, split="training", licence="m", pairs_per_shard=4)
    with pytest.raises(DustError, match="not the set that the profile ci names"):
        open_feed(task, stage(task, shards=named))
    right = named.model_copy(update={"sha256": sha256_file(folder / "manifest.json")})
    feed = open_feed(task, stage(task, shards=right))
    assert len(feed.store) == 4
    feed.close()


def test_a_larger_set_with_a_foreign_scene_is_refused(task: ResolvedTask) -> None:
    folder = Path("data/large")
    held_out = task.data.workload.scenes[0]
    write_shards(samples(4, held_out), folder, split="training", licence="m", pairs_per_shard=4)
    named = Shards(
        manifest="data/large/manifest.json", sha256=sha256_file(folder / "manifest.json")
    )
    with pytest.raises(DustError, match=f"{held_out} is no scene of the training set"):
        open_feed(task, stage(task, shards=named))


def test_the_judge_takes_the_profiles_number_of_pairs(task: ResolvedTask) -> None:
    torch.manual_seed(0)
    network = Dust3r(TINY).eval()
    with torch.inference_mode():
        every = validate_pairs(task, stage(task))(network)
        fewer = replace(task, profile=task.profile.model_copy(update={"validation_pairs": 2}))
        some = validate_pairs(fewer, stage(task))(network)
    assert every.score == every.metrics["loss"] > 0
    assert 0 <= every.metrics["delta1"] <= 1
    assert some.score != every.score


def test_work_is_kept_apart_for_all_that_decides_it(task: ResolvedTask) -> None:
    other = stage(task, lr=0.1)
    training = task.profile.training.model_copy(update={"teacher": (other,)})
    changed = replace(task, profile=task.profile.model_copy(update={"training": training}))
    slower = replace(task, profile=task.profile.model_copy(update={"threads": 1}))
    assert work_folder(changed) != work_folder(task) == work_folder(slower)
