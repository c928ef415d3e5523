"""The executors select-student and choose-student on a repository in miniature."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from declared_specs import exp_id, result_file

from dust_compress.distill.choice import choose_student, select_student
from dust_core.declared.records import ResultFile, read_result_file, write_result_file
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "core" / "declared" / "records"))
import sample_results as sample  # noqa: E402

STUDENTS = {task: exp_id(task) for task in ("K-1", "K-2", "K-3")}


def task_of(root: Path, name: str) -> ResolvedTask:
    return resolve(load_specs(root / "specs"), name, "ci")


@pytest.fixture
def root(miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "repository"
    shutil.copytree(miniature, copy)
    monkeypatch.chdir(copy)
    return copy


def log_training(root: Path, task: str, delta1: dict[int, float], best_epoch: int) -> None:
    """What a distillation leaves: a student, and its delta1 on validation by epoch."""
    folder = root / "artifacts" / "ci"
    own = task_of(root, task)
    path = folder / own.task.outputs[0]
    teacher = load_checkpoint(folder / "teacher_fp32.pth").network
    torch.manual_seed(int(task[-1]))
    save_checkpoint(Dust3r(teacher.config), path, exp_id=STUDENTS[task], half=True)
    curve = [{"epoch": n, "val/loss": 1.0 / n, "val/delta1": value} for n, value in delta1.items()]
    result = sample.result(STUDENTS[task], task=task, artifacts={path.name: sha256_file(path)})
    extra: dict[str, Any] = {"curves": [curve], "best_epoch": best_epoch}
    write_result_file(folder / own.result_files[task], sample.result_file(result, extra=extra))


def log_teacher(root: Path) -> None:
    result = sample.result(sample.TEACHER, task="P0-2")
    write_result_file(root / "artifacts" / "ci" / "teacher_eval.json", sample.result_file(result))


@pytest.mark.slow
def test_the_best_on_validation_at_its_best_epoch_is_kept(root: Path) -> None:
    log_teacher(root)
    log_training(root, "K-1", {1: 0.50, 2: 0.99}, best_epoch=1)  # .99 was not kept
    log_training(root, "K-2", {1: 0.40, 2: 0.60}, best_epoch=2)
    log_training(root, "K-3", {1: 0.55}, best_epoch=1)
    folder = root / "artifacts" / "ci"
    stale = read_result_file(folder / result_file("K-1"))
    write_result_file(folder / f"{STUDENTS['K-1']}0_log.json", stale)

    select_student(task_of(root, "K-4"))
    file = read_result_file(folder / "distill_log.json")
    assert file.extra["kept"] == "K-2"
    best, kept = folder / "student_fp32_best.pth", folder / "student_fp32_t5b05.pth"
    assert best.read_bytes() == kept.read_bytes()
    roles = {str(result.exp_id): result.provenance.role for result in file.results}
    assert roles == {
        STUDENTS["K-1"]: "reference",
        STUDENTS["K-2"]: "candidate",
        STUDENTS["K-3"]: "reference",
        sample.TEACHER: "baseline",
    }
    (candidate,) = file.candidates
    assert candidate.provenance.artifacts[best.name] == sha256_file(best)
    assert candidate.provenance.latency is not None
    assert candidate.provenance.latency.baseline == "P0-2"
    (verdict,) = file.verdicts
    assert (verdict.gate, verdict.exp_id) == ("quality_kept", STUDENTS["K-2"])
    validation: Any = file.extra["validation"]
    assert {task: standing["delta1"] for task, standing in validation.items()} == {
        "K-1": 0.50,
        "K-2": 0.60,
        "K-3": 0.55,
    }


def test_a_candidate_without_a_result_is_named(root: Path) -> None:
    log_teacher(root)
    log_training(root, "K-1", {1: 0.5}, best_epoch=1)
    for name in ("student_fp32_t5b05.pth", "student_fp32_sched.pth"):
        (root / "artifacts" / "ci" / name).write_bytes(b"")
    with pytest.raises(DustError, match="K-2, which K-4 builds on, has no result"):
        select_student(task_of(root, "K-4"))


def chosen(root: Path, workload: dict[str, float | None], kept: str = "K-1") -> ResultFile:
    """KQ-1's result where `kept` was best on validation, and delta1 on the workload is as given."""
    folder = root / "artifacts" / "ci"
    best = folder / "student_fp32_best.pth"
    best.write_bytes(b"the student that P1 kept")
    results = [sample.result(sample.TEACHER, task="K-4", role="baseline")]
    for task, delta1 in workload.items():
        quality = sample.per_pair() if delta1 is None else sample.per_pair(delta1=delta1)
        if delta1 is None:
            del quality["delta1"]
        role = "candidate" if task == kept else "reference"
        artifacts = {best.name: sha256_file(best)} if task == kept else {"other.pth": "7" * 64}
        results.append(
            sample.result(
                STUDENTS[task], task="K-4", role=role, quality=quality, artifacts=artifacts
            )
        )
    validation = {task: {"delta1": 0.9 if task == kept else 0.1} for task in workload}
    extra: dict[str, Any] = {"kept": kept, "validation": validation}
    write_result_file(folder / "distill_log.json", sample.result_file(*results, extra=extra))
    choose_student(task_of(root, "KQ-1"))
    return read_result_file(folder / "KQ-1_log.json")


@pytest.mark.parametrize(
    ("workload", "rank", "status", "behind"),
    [
        ({"K-1": 0.90, "K-2": 0.88, "K-3": 0.89}, 1.0, "pass", 0.0),
        ({"K-1": 0.90, "K-2": 0.94, "K-3": 0.89}, 2.0, "fail", 100 * 4 / 94),
        ({"K-1": 0.90, "K-2": 0.94, "K-3": 0.91}, 3.0, "fail", 100 * 4 / 94),
    ],
)
def test_the_rank_is_that_on_the_workload_and_not_that_of_the_choice(
    root: Path, workload: dict[str, float | None], rank: float, status: str, behind: float
) -> None:
    """The teacher, at .95, does not compete."""
    file = chosen(root, workload)
    (verdict,) = file.verdicts
    assert (verdict.gate, verdict.value, verdict.status) == ("best_student", rank, status)
    assert verdict.reason == (None if status == "pass" else f"rank {rank:g} is not 1")
    assert file.extra["student"] == STUDENTS["K-1"]
    assert file.extra["behind_the_best_percent"] == pytest.approx(behind)
    measured: Any = file.extra["workload"]
    assert measured[STUDENTS["K-2"]] == pytest.approx(workload["K-2"])


def test_a_student_that_was_not_measured_gives_no_rank(root: Path) -> None:
    with pytest.raises(DustError, match=f"K-4 has no delta1 of {STUDENTS['K-2']}"):
        chosen(root, {"K-1": 0.90, "K-2": None, "K-3": 0.89})


def test_another_file_than_the_one_that_was_kept_is_refused(root: Path) -> None:
    chosen(root, {"K-1": 0.90, "K-2": 0.88})
    (root / "artifacts" / "ci" / "student_fp32_best.pth").write_bytes(b"another student")
    with pytest.raises(DustError, match="this is not the student that P1 kept"):
        choose_student(task_of(root, "KQ-1"))
