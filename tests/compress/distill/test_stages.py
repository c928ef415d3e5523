"""A student's training in stages."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

from dust_compress.distill.students import Stage, stages_of, train_student, write_student
from dust_compress.teacher import write_teacher
from dust_compress.train.command import train
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.training import DistillRecipe
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.pairs.shards.tars import write_shards

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))

from test_task_training import ROOT, samples

RECIPE = {
    "pairs_per_epoch": 2,
    "batch": 2,
    "side": 32,
    "patch_size": 16,
    "lr": 1e-3,
    "weight_decay": 0.0,
    "warmup": 0.0,
    "autocast": "fp32",
}
LATER = """\
      then:
        - {share: 0.2, pairs_per_epoch: 2, batch: 2, side: 32, patch_size: 16, lr: 1.0e-4,
           weight_decay: 0.0, warmup: 0.0, autocast: fp32}
"""
PROFILE = Path("specs/profiles/ci.yaml")


def recipe(*shares: float) -> DistillRecipe:
    own = {key: value for key, value in RECIPE.items() if key != "patch_size"}
    later = [own | {"share": share, "patch_size": 16} for share in shares]
    return DistillRecipe.model_validate(RECIPE | {"then": later})


def shape_of(stages: list[Stage]) -> list[tuple[int, float, float]]:
    return [(epochs, round(begin, 9), round(end, 9)) for _, epochs, (begin, end) in stages]


def test_a_training_without_later_stages_is_one_whole() -> None:
    assert shape_of(stages_of(recipe(), 30)) == [(30, 0.0, 1.0)]


def test_later_stages_have_their_shares_and_the_first_what_is_left() -> None:
    assert shape_of(stages_of(recipe(0.1), 30)) == [(27, 0.0, 0.9), (3, 0.9, 1.0)]
    assert shape_of(stages_of(recipe(0.3, 0.2), 10)) == [
        (5, 0.0, 0.5),
        (3, 0.5, 0.8),
        (2, 0.8, 1.0),
    ]


def test_every_stage_has_an_epoch_or_the_message_says_why_not() -> None:
    assert shape_of(stages_of(recipe(0.01), 2)) == [(1, 0.0, 0.5), (1, 0.5, 1.0)]
    with pytest.raises(DustError, match="1 epochs are too few for 2 stages") as caught:
        stages_of(recipe(0.5), 1)
    assert "declare more epochs" in caught.value.fix


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResolvedTask:
    """K-1 of `ci` with two stages, on a teacher that is barely trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUST_TRAINING_DEVICE", "cpu")  # what --device sets is forgotten afterwards
    shutil.copytree(ROOT / "specs", "specs")
    text = PROFILE.read_text()
    for count in ("pairs_per_epoch", "batch", "validation_pairs"):
        text = re.sub(rf"{count}: \d+", f"{count}: 2", text)
    PROFILE.write_text(text.replace("    qat:\n", f"{LATER}    qat:\n"))
    specs = load_specs(Path("specs"))
    teacher = resolve(specs, "P0-teacher", "ci")
    for split in ("training", "validation"):
        members = samples(6, teacher.data.training.scenes[0])
        write_shards(members, Path("data") / split, split=split, licence="m", pairs_per_shard=6)
    write_teacher(teacher)
    return resolve(specs, "K-1", "ci")


def test_each_stage_goes_on_from_the_best_weights_of_the_one_before(task: ResolvedTask) -> None:
    path, outcomes = write_student(task)
    assert [outcome.epochs for outcome in outcomes] == [24, 6]
    first, second = (outcome.weights for outcome in outcomes)
    assert set(first) == set(second)
    rates = [torch.dist(first[name], second[name]) for name in first if first[name].ndim == 2]
    assert all(0 < float(rate) < 1 for rate in rates), "the second starts where the first ended"
    written = load_checkpoint(path).network
    kept = {name: value.half().float() for name, value in second.items()}
    small = {name: kept[name] for name in kept if "enc_blocks" in name}
    assert all(torch.equal(written.state_dict()[name], small[name]) for name in small)


def test_a_carried_student_is_taken_stage_by_stage(task: ResolvedTask) -> None:
    train("K-1", profile="ci", specs=Path("specs"), device="cpu", to=Path("away"))
    path = Path("artifacts/ci") / task.task.outputs[0]
    before = load_checkpoint(path).network.state_dict()
    shutil.rmtree("artifacts/ci/.work")
    shutil.rmtree("data/training")
    shutil.copytree("away", "artifacts/ci/.work")
    teacher = load_checkpoint(Path("artifacts/ci/teacher_fp32.pth")).network
    _, outcomes = train_student(task, teacher)
    assert [bool(outcome.weights) for outcome in outcomes] == [False, True]
    write_student(task)
    after = load_checkpoint(path).network.state_dict()
    # Carried in float16, enlarged, and rounded once more.
    torch.testing.assert_close(after, before, atol=2e-3, rtol=2e-3)
