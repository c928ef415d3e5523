"""Which task of the head takes the place of which task of the base, whatever their ids."""

from collections.abc import Iterator, Mapping

from dust_core.declared.change.values import compare, flatten
from dust_core.declared.specs.models import Task
from dust_core.declared.specs.names import stage_of

_IDENTITY = frozenset({"run", "exp_id", "outputs"})
"""Fields that follow from a task's id or from its parameters."""


def kind_of(task_id: str, task: Task) -> tuple[str, str]:
    """The stage and the executor of a task, which its lines depend on."""
    return stage_of(task_id), task.does


def is_same(task_id: str, before: Mapping[str, Task], after: Mapping[str, Task]) -> bool:
    """Whether both sides have a task of this id and it is of one kind."""
    return task_id in before and task_id in after and before[task_id].does == after[task_id].does


def renamed(before: Mapping[str, Task], after: Mapping[str, Task]) -> dict[str, str]:
    """Tasks that take the place of others under new ids: new id -> old id.

    A task that is gone and a new task are matched if stage and executor are the same, the most
    similar first. Parameters may differ: whoever renames a task may change it at the same time.
    """
    gone = [task for task in before if task not in after]
    new = [task for task in after if task not in before]
    pairs = [
        (_similarity(before[former], after[task]), former, task)
        for former in gone
        for task in new
        if kind_of(former, before[former]) == kind_of(task, after[task])
    ]
    pairs.sort(key=lambda pair: -pair[0])  # stable: equal ones stay in the order of the specs
    heirs: dict[str, str] = {}
    for _, former, task in pairs:
        if task not in heirs and former not in heirs.values():
            heirs[task] = former
    return {task: heirs[task] for task in after if task in heirs}


def formers(
    before: Mapping[str, Task], after: Mapping[str, Task], renames: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Each task of the head with the task of the base in whose place it is: head id, base id."""
    for task in after:
        if task in renames:
            yield task, renames[task]
        elif is_same(task, before, after):
            yield task, task


def _similarity(old: Task, new: Task) -> float:
    """The share of the deciding fields that are equal, apart from the identity."""
    names = (set(flatten(old)) | set(flatten(new))) - _IDENTITY
    changed = {change.field for change in compare(old, new)} - _IDENTITY
    return 1 - len(changed) / len(names)
