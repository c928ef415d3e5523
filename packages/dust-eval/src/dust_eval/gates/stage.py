"""The verdicts of a task and of a whole stage, from the result files of a profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import Result, ResultFile, Status, Verdict, overall
from dust_core.declared.specs.models import Escalate
from dust_eval.gates.bootstrap import resampling
from dust_eval.gates.judge import GateLine, judge

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask


@dataclass(frozen=True, slots=True)
class TaskVerdicts:
    """The verdicts on one task.

    Attributes:
        task: its id.
        verdicts: a verdict for every line and candidate.
        settled: why they do not count; None where they count. They do not count where another task
            took over, or where this task was to take over and is not needed.
    """

    task: str
    verdicts: tuple[Verdict, ...]
    settled: str | None = None

    @property
    def status(self) -> Status | None:
        """The worst of the verdicts."""
        return overall(self.verdicts)

    @property
    def passed(self) -> bool:
        """Whether the stage may pass as far as this task is concerned."""
        return self.settled is not None or self.status == "pass"


def with_verdicts(
    task: "ResolvedTask", file: ResultFile, others: Mapping[str, ResultFile] | None = None
) -> ResultFile:
    """The file with its verdicts replaced by new ones on its candidates.

    Args:
        task: the task that wrote the file.
        file: its results, with the baselines that were measured in the same process.
        others: results of other tasks by task, for baselines that are not in `file`.
    """
    results = {**(others or {}), task.id: file}
    return file.model_copy(update={"verdicts": judge_task(task, results).verdicts})


def judge_stage(
    tasks: Sequence["ResolvedTask"],
    results: Mapping[str, ResultFile],
    unproven: Mapping[str, Sequence[str]] | None = None,
) -> tuple[TaskVerdicts, ...]:
    """The verdicts on the tasks of a stage, in order, escalations settled.

    A task that misses a line and escalates is settled once the task that takes over passes. A task
    that was to take over and measured nothing is settled once no task escalates to it.

    Args:
        tasks: the tasks of the stage.
        results: result files by task, of the runs that the specs declare (`declared_results`).
        unproven: why a task's result is not proven, by task (`unproven_results`).
    """
    faults = unproven or {}
    judged = {task.id: judge_task(task, results, faults.get(task.id, ())) for task in tasks}
    heirs = {
        task.id: task.task.on_failure.escalate
        for task in tasks
        if isinstance(task.task.on_failure, Escalate)
    }
    return tuple(_settle(verdicts, judged, heirs, results) for verdicts in judged.values())


def judge_task(
    task: "ResolvedTask", results: Mapping[str, ResultFile], unproven: Sequence[str] = ()
) -> TaskVerdicts:
    """Judge every candidate of a task by every line of it; `results` as in `judge_stage`.

    Args:
        unproven: why the task's own result is not proven.
    """
    plan = resampling(task.workload)
    file = results.get(task.id)
    candidates: Sequence[Result | None] = file.candidates if file else [None]
    verdicts = []
    for name, gate in task.gates.items():
        line = GateLine(task.id, task.digest, name, gate, plan, task.profile.quotable)
        for candidate in candidates:
            baseline, beside = None, tuple[Result, ...]()
            if candidate is not None and file is not None and gate.baseline is not None:
                baseline = _baseline(gate.baseline, candidate, file, results)
                beside = () if baseline is None else file.references_of(baseline)
            verdicts.append(judge(line, candidate, baseline, unproven, beside))
    return TaskVerdicts(task.id, tuple(verdicts))


def _settle(
    own: TaskVerdicts,
    judged: Mapping[str, TaskVerdicts],
    heirs: Mapping[str, str],
    results: Mapping[str, ResultFile],
) -> TaskVerdicts:
    heir = judged.get(heirs.get(own.task, ""))
    if own.status != "pass" and heir is not None and heir.status == "pass":
        return TaskVerdicts(own.task, own.verdicts, f"{heir.task} took over and passes")
    elders = [judged[task] for task, heir_id in heirs.items() if heir_id == own.task]
    needless = bool(elders) and all(elder.status == "pass" for elder in elders)
    if needless and not _measured(results.get(own.task)):
        passed = " and ".join(elder.task for elder in elders)
        return TaskVerdicts(own.task, (), f"not needed: {passed} passes")
    return own


def _measured(file: ResultFile | None) -> bool:
    """Whether a task ran an experiment: a task that was not needed has no record."""
    return file is not None and any(result.record is not None for result in file.candidates)


def _baseline(
    task: str, candidate: Result, file: ResultFile, results: Mapping[str, ResultFile]
) -> Result | None:
    """The baseline of `task`: measured beside the candidate, or else by its own task."""
    reference = candidate.provenance.baselines.get(task)
    of_task = results[task].candidates if task in results else ()
    if reference is None:
        return of_task[0] if len(of_task) == 1 else None
    beside = [result for result in file.results if result.provenance.role == "baseline"]
    named = (result for result in [*beside, *of_task] if result.exp_id == reference.exp_id)
    return next(named, None)
