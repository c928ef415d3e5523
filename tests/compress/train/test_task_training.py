"""From a profile to a plan, a feed and a judge, on a set made here."""

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dust_compress.teacher import TeacherObjective
from dust_compress.train.distributed import device_of
from dust_compress.train.outcome import how_it_went
from dust_compress.train.task_training import open_feed, plan_for, train_by, work_folder
from dust_compress.train.validation import validate_pairs
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.training import Shards, TeacherStage
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.pairs.shards.sample import CAMERAS, PairSample, encode
from dust_core.pairs.shards.tars import write_shards

ROOT = Path(__file__).parents[3]
TINY = Dust3rConfig.uniform(
    enc_dim=32, enc_depth=1, enc_heads=2, dec_dim=32, dec_depth=1, dec_heads=2, head="linear"
)


def samples(pairs: int, scene: str) -> list[dict[str, bytes]]:
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


def test_a_plan_has_every_value_of_its_recipe(task: ResolvedTask) -> None:
    recipe = stage(
        task, final_lr=1e-5, betas=(0.8, 0.9), clip_norm=2.0, averaging=0.5, accumulate=2
    )
    plan = plan_for(task, recipe, epochs=1)
    assert (plan.final_learning_rate, plan.betas, plan.clip_norm) == (1e-5, (0.8, 0.9), 2.0)
    assert (plan.ema_decay, plan.accumulate) == (0.5, 2)
    plain = plan_for(task, stage(task, averaging=None), epochs=1)
    assert plain.ema_decay is None


def test_views_vary_within_the_declared_bounds(task: ResolvedTask) -> None:
    def first(recipe: TeacherStage) -> torch.Tensor:
        with closing(open_feed(task, recipe)) as feed:
            return next(feed).image1

    plain = first(stage(task, augmentation=None))
    declared = stage(task).augmentation
    bounds = declared.model_copy(update={"flip": 0.0, "smallest_crop": 1.0})
    coloured = first(stage(task, augmentation=bounds))
    assert not torch.equal(plain, coloured)
    none = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0}
    same = first(stage(task, augmentation=bounds.model_copy(update=none)))
    torch.testing.assert_close(same, plain, atol=0.02, rtol=0)  # of 2; eight-bit rounding


def test_a_batch_in_parts_is_a_batch_of_the_feed_for_each(task: ResolvedTask) -> None:
    with closing(open_feed(task, stage(task, accumulate=2))) as feed:
        assert len(next(feed).image1) == 1
    with pytest.raises(DustError, match="cannot be shared by 1 processes in 3 parts"):
        plan_for(task, stage(task, accumulate=3), epochs=1)


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
    with pytest.raises(DustError, match="absent"):
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


def test_the_judge_takes_no_pair_more_than_declared(task: ResolvedTask) -> None:
    torch.manual_seed(0)
    network = Dust3r(TINY).eval()

    def score(pairs: int) -> float:
        fewer = replace(task, profile=task.profile.model_copy(update={"validation_pairs": pairs}))
        with torch.inference_mode():
            return validate_pairs(fewer, stage(task, autocast="fp32"))(network).score

    losses = [pairs * score(pairs) for pairs in (1, 2, 3)]
    assert losses[0] < losses[1] < losses[2]
    assert score(3) == pytest.approx(losses[2] / 3)


def test_a_network_of_nan_is_one_message(task: ResolvedTask) -> None:
    network = Dust3r(TINY).eval()
    torch.nn.init.constant_(network.enc_norm.weight, float("nan"))
    with torch.inference_mode(), pytest.raises(DustError, match="holds NaN") as caught:
        validate_pairs(task, stage(task))(network)
    assert caught.value.exit_code == 1 and "lower the learning rate" in str(caught.value)


def test_damaged_samples_are_counted_in_the_outcome(task: ResolvedTask) -> None:
    broken = samples(6, task.data.training.scenes[0])
    cameras = np.frombuffer(broken[0][CAMERAS], np.float32)
    broken[0][CAMERAS] = np.full_like(cameras, np.nan).tobytes()
    folder = Path("data/training")
    shutil.rmtree(folder)
    write_shards(broken, folder, split="training", licence="made", pairs_per_shard=4)
    recipe = stage(task, pairs_per_epoch=6, patch_size=16, shards=None)
    torch.manual_seed(0)
    objective = TeacherObjective(Dust3r(TINY), task.task, 0.3)
    outcome = train_by(task, recipe, objective, epochs=1, folder=work_folder(task, recipe))
    assert outcome.skipped == 1
    assert "1 damaged samples skipped" in how_it_went((outcome,))


def test_each_rank_has_the_device_of_its_own_number(
    task: ResolvedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    on_gpus = task.profile.device.model_copy(update={"kind": "cuda"})
    gpus = replace(task, profile=task.profile.model_copy(update={"device": on_gpus}))
    assert device_of(gpus) == torch.device("cuda", 3)
    assert device_of(task) == torch.device("cpu")


def test_work_is_kept_apart_for_all_that_decides_it(task: ResolvedTask) -> None:
    own, other = stage(task), stage(task, lr=0.1)
    slower = replace(task, profile=task.profile.model_copy(update={"threads": 1}))
    network, changed = Dust3r(TINY), Dust3r(TINY)
    folder = work_folder(task, own, network)
    assert folder == work_folder(slower, own, network)
    assert len({folder, work_folder(task, other, network), work_folder(task, own, changed)}) == 3
