"""When specs contradict what was executed; the validator and `dust diff` both ask here.

The validator reads executions from the results beside the specs, `dust diff` from the locks of the
base. In both cases an executed task is immutable: a changed task needs the next `run`.
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
        run: the number of the run. The result of a task without its own experiment does not hold
            it; then it is 1, the lowest possible.
        exp_ids: ids of the experiments that were run; none for a task that runs none of its own.
    """

    task: str
    run: int = 1
    exp_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in messages: the experiment's id, or the task's id with its run."""
        return self.exp_ids[0] if self.exp_ids else f"{self.task} run {self.run}"


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
