"""What a task will need is checked before its work."""

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from dust_core.declared.logs import logging_to
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.errors import DustError
from dust_eval.measure import ready
from dust_eval.measure.execution import begin
from dust_eval.measure.ready import bytes_needed, require_ready

Usage = namedtuple("Usage", ("total", "used", "free"))


@pytest.fixture
def student(damaged: Path) -> ResolvedTask:
    """K-1, whose line compares it with P0-2, where nothing was executed yet."""
    resolved = resolve(load_specs(Path("specs")), "K-1", "ci")
    assert "P0-2" in {gate.baseline for gate in resolved.gates.values()}
    return resolved


@pytest.mark.parametrize("content", [None, "", '{"kind": "Result"}'])
def test_a_baseline_without_a_result_is_asked_for_before_the_training(
    content: str | None, student: ResolvedTask
) -> None:
    if content is not None:
        Path("artifacts/ci/teacher_eval.json").write_text(content)
    with pytest.raises(DustError) as refused:
        begin(student)
    expected = "P0-2, which K-1 builds on, has no result" if content is None else "teacher_eval"
    assert expected in str(refused.value)


@pytest.mark.parametrize("name", ["training", "validation", "calibration", "workload"])
def test_another_set_than_the_specs_name_is_refused_before_the_work(
    name: str, damaged: Path
) -> None:
    manifest = damaged / "data" / name / "manifest.json"
    manifest.write_text(manifest.read_text().replace("CC0-1.0", "CC-BY-4.0"))
    with pytest.raises(DustError, match=f"this is not the {name} set that the specs name"):
        require_ready(resolve(load_specs(Path("specs")), "P0-2", "ci"))


@pytest.mark.parametrize(
    ("quotable", "draft", "warned"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_files_that_are_not_committed_are_named_before_the_work(
    damaged: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    quotable: bool,
    draft: bool,
    warned: bool,
) -> None:
    monkeypatch.setenv("DUST_DRAFT", "1" if draft else "0")
    task = resolve(load_specs(Path("specs")), "P0-2", "ci")
    task = replace(task, profile=task.profile.model_copy(update={"quotable": quotable}))
    with logging_to(tmp_path / "run.log"):
        begin(task)
    assert "not committed" not in capsys.readouterr().err
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"):
        Path(name).touch()
    with logging_to(tmp_path / "run.log"):
        assert begin(task).environment.dirty
    said = [line for line in capsys.readouterr().err.splitlines() if "not committed" in line]
    assert len(said) == warned
    for line in said:
        assert "the result of P0-2 will decide nothing" in line
        assert "a.jpg, b.jpg, c.jpg and 2 more" in line
        assert "commit, remove or ignore them" in line


def test_a_disk_without_room_is_said_before_the_work(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = resolve(load_specs(Path("specs")), "P0-2", "ci")
    size = Path("artifacts/ci/teacher_fp32.pth").stat().st_size
    assert bytes_needed(task) == 2 * size
    for free, refused in ((2 * size - 1, True), (2 * size, False)):
        monkeypatch.setattr(ready.shutil, "disk_usage", lambda path, free=free: Usage(0, 0, free))
        if refused:
            with pytest.raises(DustError, match=r"P0-2 writes about \d+ MB, and \d+ MB are free"):
                require_ready(task)
        else:
            require_ready(task)


def test_a_task_is_taken_to_write_what_it_wrote_last_and_the_state_of_its_training(
    evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(evaluated, tmp_path / "again")
    monkeypatch.chdir(tmp_path / "again")
    task = resolve(load_specs(Path("specs")), "K-1", "ci")
    size = Path("artifacts/ci/teacher_fp32.pth").stat().st_size
    assert task.task.inputs == ("teacher_fp32.pth",)
    assert bytes_needed(task) == 2 * (size + 10 * size)
    lock = Path("pipelines/ci/dvc.lock")
    lock.parent.mkdir(parents=True)
    (output,) = task.task.outputs
    lock.write_text(
        "schema: '2.0'\nstages:\n  K-1:\n    cmd: dust run K-1 --profile ci\n    outs:\n"
        f"    - path: artifacts/ci/{output}\n      md5: {'0' * 32}\n      size: 1000\n"
    )
    assert bytes_needed(task) == 2 * (1000 + 10 * size)
    untrained = replace(task, task=task.task.model_copy(update={"does": "evaluate-teacher"}))
    assert bytes_needed(untrained) == 2 * 1000
