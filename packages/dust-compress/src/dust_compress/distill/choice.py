"""The executors `select-student` of P1 and `choose-student` of P3."""

import shutil
from typing import Any, cast

from dust_core.declared.project import ARTIFACTS, result_of, result_path
from dust_core.declared.records import (
    Measurement,
    Result,
    ResultFile,
    build_result,
    record_parameters,
)
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.distill import SelectStudent
from dust_core.declared.specs.names import parse_exp_id
from dust_core.errors import DustError
from dust_core.files import atomic_path, sha256_file
from dust_eval.gates import best_by, drop_percent, rank_by
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin, write_results

_TEACHER, _TEACHER_TASK = "teacher_fp32.pth", "P0-2"

_LOGGED_AS = {"validation": "val/"}
"""The names in training curves: split -> prefix of the metric."""


def select_student(task: ResolvedTask) -> None:
    """Measure every candidate together with the teacher; keep the best on validation.

    Raises:
        DustError: a candidate has no result, or its file is absent or damaged.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    assert isinstance(own, SelectStudent)
    execution = begin(task)
    primary = task.workload.quality.primary
    standings = {student: _standing(task, student, own.choose_by) for student in own.candidates}
    best = best_by(primary, {student: standings[student][primary] for student in standings})
    subjects = {
        student: Subject(path=folder / standing["file"], computed="fp32")
        for student, standing in standings.items()
    }
    teacher = Subject(path=folder / _TEACHER, computed="fp32")
    evaluations = evaluate(
        task, subjects | {"the teacher": teacher}, baseline=(_TEACHER_TASK, "the teacher")
    )
    baseline, references = baseline_beside(
        execution, _TEACHER_TASK, evaluations["the teacher"], sha256_file(teacher.path), _TEACHER
    )
    kept = folder / own.outputs[-1]
    with atomic_path(kept) as temporary:
        shutil.copyfile(subjects[best].path, temporary)
    results: list[Result] = []
    for student, subject in subjects.items():
        artifacts = {subject.path.name: sha256_file(subject.path)}
        if student == best:
            artifacts[kept.name] = sha256_file(kept)
        results.append(
            build_result(
                execution,
                record_parameters(parse_exp_id(standings[student]["exp_id"])),
                evaluations[student].measured,
                artifacts=artifacts,
                role="candidate" if student == best else "reference",
                runtime=evaluations[student].runtime,
                baselines=references,
            )
        )
    extra = {
        "kept": best,
        own.choose_by: standings,
        "curves": {student: standing.pop("curve") for student, standing in standings.items()},
    }
    write_results(task, (*results, baseline), extra)


def choose_student(task: ResolvedTask) -> None:
    """Check that the student is the one that P1 kept, and find its rank on the workload.

    P1 chooses on another split. The rank is that on the workload, by the primary metric of all
    students as P1 measured them there. A choice that does not hold there has a rank above 1.

    Raises:
        DustError: it is not the file that P1 kept, or a student was not measured.
    """
    own = task.task
    student = ARTIFACTS / task.profile_name / own.inputs[-1]
    (selection,) = own.needs
    execution = begin(task)
    file = result_of(task, selection)
    (kept,) = file.candidates
    if kept.provenance.artifacts.get(student.name) != execution.inputs[student.name]:
        raise DustError(
            "this is not the student that P1 kept",
            where=str(student),
            fix=f"pull it again, or run {selection} again",
            exit_code=1,
        )
    primary, chosen = task.workload.quality.primary, str(kept.exp_id)
    measured = _on_the_workload(task, selection, file)
    best = measured[best_by(primary, measured)]
    result = build_result(
        execution,
        None,
        Measurement(quantities={"quality_rank": rank_by(primary, chosen, measured)}),
        artifacts={student.name: execution.inputs[student.name]},
    )
    behind = drop_percent(primary, measured[chosen], best) if best else None
    extra = {"student": chosen, "workload": measured, "behind_the_best_percent": behind}
    write_results(task, (result,), extra)


def _on_the_workload(task: ResolvedTask, selection: str, file: ResultFile) -> dict[str, float]:
    """The primary metric of every student that competed, by experiment, on the workload."""
    primary = task.workload.quality.primary
    students = (result for result in file.results if result.provenance.role != "baseline")
    measured = {str(result.exp_id): getattr(result.record, primary) for result in students}
    if missing := [exp_id for exp_id, value in measured.items() if value is None]:
        raise DustError(
            f"{selection} has no {primary} of {', '.join(missing)}",
            where=str(result_path(task, selection)),
            fix=f"run {selection} again",
        )
    return measured


def _standing(task: ResolvedTask, student: str, split: str) -> dict[str, Any]:
    """A student's metrics on the split that decides, from the log of its distillation."""
    file = result_of(task, student)
    (candidate,) = file.candidates
    *_, curve = cast(list[list[dict[str, Any]]], file.extra["curves"])  # the last stage decides
    entry = next(entry for entry in curve if entry["epoch"] == file.extra["best_epoch"])
    prefix = _LOGGED_AS[split]
    metrics = {
        key.removeprefix(prefix): value for key, value in entry.items() if key.startswith(prefix)
    }
    (name,) = candidate.provenance.artifacts
    return {"file": name, "exp_id": candidate.exp_id, **metrics, "curve": curve}
