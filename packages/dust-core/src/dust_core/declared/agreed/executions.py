"""When specs contradict what was executed; the validator and `dust diff` both ask here.

Both read executions from dvc.lock and the ledger: the validator from those beside the specs, `dust
diff` from those of both sides of a change. The validator also reads the results in `artifacts/`. In
all cases an executed task is immutable: a changed task needs the next `run`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dust_core.declared.specs.models import Task

if TYPE_CHECKING:
    from dust_core.declared.change.executed import Execution
    from dust_core.declared.records.ledger import LedgerFile, LedgerLine
    from dust_core.declared.specs import ResolvedTask

Contradiction = Literal["changed", "removed", "renamed", "reused"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which run of which task was executed.

    Attributes:
        task: the task's id.
        run: the number of the run. The result of a task without its own experiment does not hold
            it; then it is 1, the lowest possible.
        exp_ids: ids of the experiments that were run, the latest first; none for a task that runs
            none of its own.
    """

    task: str
    run: int = 1
    exp_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in messages: the experiment's id, or the task's id with its run."""
        return self.exp_ids[0] if self.exp_ids else f"{self.task} run {self.run}"


@dataclass(frozen=True, slots=True)
class Executed:
    """The last execution of a task under a profile, as lock and ledger record it.

    Attributes:
        profile: the profile.
        attempt: which run it is, with the ids of all runs of the ledger.
        locked: the stage of the lock; None where the lock has no stage of this run.
        line: the last line of the ledger; None where the ledger has no line of this run.
        number: the number of that line; 0 where there is none.
    """

    profile: str
    attempt: Attempt
    locked: "Execution | None"
    line: "LedgerLine | None"
    number: int = 0

    def differs_from(self, task: "ResolvedTask") -> bool:
        """Whether the ledger says that another version of a task was executed."""
        return self.line is not None and self.line.spec_digest != task.digest

    def is_on_other_workload(self, task: "ResolvedTask") -> bool:
        """Whether the ledger says that it was measured on another workload."""
        return self.line is not None and self.line.workload_sha256 != task.workload_digest


def last_executions(
    profile: str, locked: Mapping[str, "Execution"], files: "Sequence[LedgerFile]"
) -> tuple[Executed, ...]:
    """The last execution of each task under a profile; lock and ledger may lack each other's.

    Args:
        profile: the profile.
        locked: the executions of its lock, by task.
        files: the ledger.
    """
    histories = {
        file.lines[-1].task: file.lines
        for file in files
        if file.lines and file.lines[-1].profile == profile
    }
    return tuple(
        _last(profile, task, locked.get(task), histories.get(task, ()))
        for task in dict.fromkeys((*locked, *histories))
    )


def _last(
    profile: str, task: str, locked: "Execution | None", history: "Sequence[LedgerLine]"
) -> Executed:
    line = history[-1] if history else None
    run = max(side.run for side in (locked, line) if side is not None)
    records = (locked, *reversed(history))
    ids = dict.fromkeys(
        side.exp_id
        for side in sorted(
            (side for side in records if side is not None), key=lambda side: -side.run
        )
        if side.exp_id is not None
    )
    return Executed(
        profile=profile,
        attempt=Attempt(task, run, tuple(ids)),
        locked=locked if locked is not None and locked.run == run else None,
        line=line if line is not None and line.run == run else None,
        number=len(history) if line is not None and line.run == run else 0,
    )


def contradictions(
    attempt: Attempt,
    tasks: Mapping[str, Task],
    is_as_executed: bool,
    renamed: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, Contradiction]]:
    """Yield each way in which specs contradict an execution, with the task that does so.

    A task is `changed` if what decides it differs and its `run` is not above the executed run. It
    is `removed` or `renamed` if no task has its id any more. It is `reused` if another task takes
    the id of its experiment.

    Args:
        attempt: what was executed.
        tasks: the tasks that the specs have now, by id.
        is_as_executed: whether the task, if it is there, still decides what was executed.
        renamed: tasks that only have another id: the new one -> the old one.
    """
    successors = {former: task for task, former in (renamed or {}).items()}
    task = tasks.get(attempt.task)
    if task is None:
        successor = successors.get(attempt.task)
        yield successor or attempt.task, "renamed" if successor else "removed"
    elif task.run <= attempt.run and not is_as_executed:
        yield attempt.task, "changed"
    for task_id, other in tasks.items():
        is_itself = task_id in (attempt.task, successors.get(attempt.task))
        if not is_itself and other.exp_id in attempt.exp_ids:
            yield task_id, "reused"
