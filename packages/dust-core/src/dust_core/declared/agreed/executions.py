"""When specs contradict what was executed: the one answer of validator and diff.

The validator knows executions by the results beside the specs, `dust diff` by the locks of the
base. Either way an executed task is immutable: a change takes the next `run`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dust_core.declared.specs.models import Task

Contradiction = Literal["changed", "removed", "renamed", "reused"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which run of which task was executed.

    Attributes:
        task: the task's id.
        run: the number of the run. A result of a task without an experiment of its own does not
            say it; it is the first run at least.
        exp_ids: ids of the experiments that were run; none for a task that runs none of its own.
    """

    task: str
    run: int = 1
    exp_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it: the experiment's id, or the task's with its run."""
        return self.exp_ids[0] if self.exp_ids else f"{self.task} run {self.run}"


def contradictions(
    attempt: Attempt,
    tasks: Mapping[str, Task],
    is_as_executed: bool,
    renamed: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, Contradiction]]:
    """How specs contradict an execution, each with the task that does.

    A task is changed where it decides something else while its `run` is not above the executed one;
    removed or renamed where its figures would be of no task; reused where another task takes the id
    of its experiment.

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
