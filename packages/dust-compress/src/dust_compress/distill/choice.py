"""The executors `select-student` of P1 and `choose-student` of P3."""

import shutil
from typing import Any

from dust_core.declared.project import ARTIFACTS, result_of
from dust_core.declared.records import (
    Measurement,
    Result,
    build_result,
    read_result_file,
    record_parameters,
)
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.distill import SelectStudent
from dust_core.declared.specs.names import parse_exp_id
from dust_core.errors import DustError
from dust_core.files import atomic_path, sha256_file
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin, write_results

_TEACHER, _TEACHER_TASK = "teacher_fp32.pth", "P0-2"


def select_student(task: ResolvedTask) -> None:
    """Measure every candidate beside the teacher; keep the one that is best on validation.

    Raises:
        DustError: a candidate has no result, or its file is absent or damaged.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    assert isinstance(own, SelectStudent)
    execution = begin(task)
    standings = {one: _standing(task, one) for one in own.candidates}
    best = max(standings, key=lambda one: standings[one]["delta1"])
    subjects = {
        one: Subject(path=folder / standing["file"], computed="fp32")
        for one, standing in standings.items()
    }
    teacher = Subject(path=folder / _TEACHER, computed="fp32")
    found = evaluate(
        task, subjects | {"the teacher": teacher}, baseline=(_TEACHER_TASK, "the teacher")
    )
    baseline, references = baseline_beside(
        execution, _TEACHER_TASK, found["the teacher"], sha256_file(teacher.path), _TEACHER
    )
    kept = folder / own.outputs[-1]
    with atomic_path(kept) as temporary:
        shutil.copyfile(subjects[best].path, temporary)
    results: list[Result] = []
    for one, subject in subjects.items():
        artifacts = {subject.path.name: sha256_file(subject.path)}
        if one == best:
            artifacts[kept.name] = sha256_file(kept)
        results.append(
            build_result(
                execution,
                record_parameters(parse_exp_id(standings[one]["exp_id"])),
                found[one].measured,
                artifacts=artifacts,
                role="candidate" if one == best else "reference",
                runtime=found[one].runtime,
                baselines=references,
            )
        )
    extra = {
        "kept": best,
        "validation": standings,
        "curves": {one: standing.pop("curve") for one, standing in standings.items()},
    }
    write_results(task, (*results, baseline), extra)


def choose_student(task: ResolvedTask) -> None:
    """Check that the student at hand is the one that P1 found best, and say its rank.

    Raises:
        DustError: it is not the file that P1 kept.
    """
    log, student = (ARTIFACTS / task.profile_name / name for name in task.task.inputs)
    execution = begin(task)
    file = read_result_file(log)
    (kept,) = file.candidates
    if kept.provenance.artifacts.get(student.name) != execution.inputs[student.name]:
        raise DustError(
            "this is not the student that P1 kept",
            where=str(student),
            fix=f"pull it again, or run {file.task} again",
            exit_code=1,
        )
    standings: Any = file.extra["validation"]
    mine = standings[file.extra["kept"]]["delta1"]
    rank = 1 + sum(other["delta1"] > mine for other in standings.values())
    result = build_result(
        execution,
        None,
        Measurement(quantities={"quality_rank": rank}),
        artifacts={student.name: execution.inputs[student.name]},
    )
    write_results(task, (result,), {"student": kept.exp_id})


def _standing(task: ResolvedTask, task_id: str) -> dict[str, Any]:
    """What the log of a distillation says of its student on the validation set."""
    file = result_of(task, task_id)
    (candidate,) = file.candidates
    curve: Any = file.extra["curves"]
    entry = next(one for one in curve[0] if one["epoch"] == file.extra["best_epoch"])
    metrics = {key.removeprefix("val/"): v for key, v in entry.items() if key.startswith("val/")}
    (name,) = candidate.provenance.artifacts
    return {"file": name, "exp_id": candidate.exp_id, **metrics, "curve": curve[0]}
