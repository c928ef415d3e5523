"""The verdicts of a task and of a whole stage, from the result files of a profile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import Result, ResultFile, Status, Verdict, overall
from dust_core.declared.specs.models import Escalate
from dust_eval.gates.bootstrap import Resampling
from dust_eval.gates.judge import Line, judge

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask


@dataclass(frozen=True, slots=True)
class TaskVerdicts:
    """The verdicts on one task.

    Attributes:
        task: its id.
        verdicts: one for every line and candidate.
        settled: why they do not count, None where they do: another task took over, or this one
            was to take over and need not.
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
        """Whether nothing here stands in the way of the stage."""
        return self.settled is not None or self.status == "pass"


def with_verdicts(
    task: "ResolvedTask", file: ResultFile, others: Iterable[ResultFile] = ()
) -> ResultFile:
    """The file with the verdicts on its candidates in place of those it holds.

    Args:
        task: the task that wrote the file.
        file: its results, with the baselines that were measured in the same process.
        others: the profile's other result files, for baselines that are not in `file`.
    """
    return file.model_copy(update={"verdicts": judge_task(task, [file, *others]).verdicts})


def judge_stage(
    tasks: Sequence["ResolvedTask"], files: Sequence[ResultFile]
) -> tuple[TaskVerdicts, ...]:
    """The verdicts on the tasks of a stage, in order, escalations settled.

    A task that misses a line and escalates is settled once the task that takes over passes. A task
    that was to take over is settled, if it measured nothing, once nothing escalates to it.
    """
    judged = {task.id: judge_task(task, files) for task in tasks}
    heirs = {
        task.id: task.task.on_failure.escalate
        for task in tasks
        if isinstance(task.task.on_failure, Escalate)
    }
    return tuple(_settle(found, judged, heirs, files) for found in judged.values())


def judge_task(task: "ResolvedTask", files: Sequence[ResultFile]) -> TaskVerdicts:
    """Hold every candidate of a task to every line of the task."""
    protocol = task.workload.quality
    plan = Resampling(protocol.bootstrap, protocol.confidence, task.workload.seed)
    file = _file_of(task.id, files, task.digest)
    candidates: Sequence[Result | None] = file.candidates if file else [None]
    verdicts = []
    for name, gate in task.gates.items():
        line = Line(task.id, task.digest, name, gate, plan)
        for candidate in candidates:
            baseline = None
            if candidate is not None and file is not None and gate.baseline is not None:
                baseline = _baseline(gate.baseline, candidate, file, files)
            verdicts.append(judge(line, candidate, baseline))
    return TaskVerdicts(task.id, tuple(verdicts))


def _settle(
    found: TaskVerdicts,
    judged: dict[str, TaskVerdicts],
    heirs: dict[str, str],
    files: Sequence[ResultFile],
) -> TaskVerdicts:
    heir = judged.get(heirs.get(found.task, ""))
    if found.status != "pass" and heir is not None and heir.status == "pass":
        return TaskVerdicts(found.task, found.verdicts, f"{heir.task} took over and passes")
    elders = [judged[task] for task, heir_id in heirs.items() if heir_id == found.task]
    if elders and all(one.status == "pass" for one in elders) and not _measured(found.task, files):
        passed = " and ".join(one.task for one in elders)
        return TaskVerdicts(found.task, (), f"not needed: {passed} passes")
    return found


def _measured(task: str, files: Sequence[ResultFile]) -> bool:
    """Whether the task ran an experiment: one that was not needed leaves no record."""
    own = (file for file in files if file.task == task)
    return any(one.record is not None for file in own for one in file.candidates)


def _file_of(
    task: str, files: Sequence[ResultFile], digest: str | None = None
) -> ResultFile | None:
    """The task's file: of several, as earlier runs leave them, that of the digest, or the last."""
    found = [file for file in files if file.task == task]
    return max(
        found,
        key=lambda file: (
            file.candidates[0].provenance.spec_digest == digest,
            max(one.provenance.finished for one in file.results),
        ),
        default=None,
    )


def _baseline(
    task: str, candidate: Result, file: ResultFile, files: Sequence[ResultFile]
) -> Result | None:
    """The baseline of `task`: measured beside the candidate, or else by its own task."""
    reference = candidate.provenance.baselines.get(task)
    own = _file_of(task, files)
    of_task = own.candidates if own else ()
    if reference is None:
        return of_task[0] if len(of_task) == 1 else None
    beside = [one for one in file.results if one.provenance.role == "baseline"]
    return next((one for one in [*beside, *of_task] if one.exp_id == reference.exp_id), None)
