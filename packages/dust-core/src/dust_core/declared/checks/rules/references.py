"""REF: everything that a task names exists, once, and no task waits for itself."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import TreeRule
from dust_core.declared.checks.subjects import SpecTree, TaskEntry
from dust_core.declared.reading.wording import one_of
from dust_core.declared.specs.names import stage_of


class NeedsUnknown(TreeRule):
    """`needs` lists tasks that must have passed before."""

    id = "REF001"
    title = "needs names a task that does not exist"
    fix = "correct the id, or add the task"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for task in subject.tasks:
            for loc, needed in task.texts("needs"):
                if needed not in subject.by_id:
                    yield self.finding(
                        task.place(*loc), needed, "the id of a task", choices=subject.by_id
                    )


class Cycle(TreeRule):
    """Tasks run in the order of their needs, so no task may wait for itself, directly or through
    others."""

    id = "REF002"
    title = "tasks wait for each other in a circle"
    fix = "remove one of the needs in the circle"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        graph = {
            task.id: [needed for _, needed in task.texts("needs") if needed in subject.by_id]
            for task in subject.tasks
        }
        while True:
            try:
                TopologicalSorter(graph).prepare()
            except CycleError as error:
                way = list(reversed(error.args[1]))
                first = min(range(len(way) - 1), key=lambda index: way[index])
                way = [*way[first:-1], *way[: first + 1]]
                task = subject.by_id[way[0]]
                index = [needed for _, needed in task.texts("needs")].index(way[1])
                yield self.finding(
                    task.place("needs", index), " -> ".join(way), "an order in which tasks can run"
                )
                graph[way[0]].remove(way[1])
            else:
                return


class EscalationUnknown(TreeRule):
    """A task that escalates names the task that takes over: another task of the same stage, which
    does not escalate back.
    """

    id = "REF003"
    title = "a task escalates to a task that cannot take over"
    fix = "name another task of the same stage"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for task in subject.tasks:
            target = task.escalates_to
            if not target:
                continue
            stage = stage_of(task.id)
            others = [
                task_id
                for task_id in subject.by_id
                if stage_of(task_id) == stage and task_id != task.id
            ]
            if target not in others or self._returns(subject, task):
                yield self.finding(
                    task.place("on_failure", "escalate"),
                    target,
                    f"another task of stage {stage} that does not escalate back",
                    choices=others,
                )

    def _returns(self, subject: SpecTree, task: TaskEntry) -> bool:
        seen: set[str] = set()
        target = task.escalates_to
        while target in subject.by_id and target not in seen:
            if target == task.id:
                return True
            seen.add(target)
            target = subject.by_id[target].escalates_to
        return False


class GateUnknown(TreeRule):
    """A task names the lines of gates.yaml that it must meet. A misspelt name would bind
    nothing."""

    id = "REF004"
    title = "a task names a line that gates.yaml does not have"
    fix = "correct the name, or add the line to gates.yaml"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        if not subject.of_kind("Gates"):
            return
        for task in subject.tasks:
            for loc, name in task.texts("gate"):
                if name not in subject.gate_names:
                    yield self.finding(
                        task.place(*loc),
                        name,
                        one_of(subject.gate_names) or "a line of gates.yaml",
                        choices=subject.gate_names,
                    )


class InputUnproduced(TreeRule):
    """A task reads files that other tasks write."""

    id = "REF005"
    title = "no task produces this input"
    fix = "correct the name, or add it to the outputs of the task that writes it"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        outputs = _producers(subject)
        for task in subject.tasks:
            for loc, name in task.texts("inputs"):
                if name not in outputs:
                    yield self.finding(
                        task.place(*loc), name, "an output of another task", choices=outputs
                    )


class InputNotNeeded(TreeRule):
    """A file exists in time only if the task that writes it is needed, directly or through another
    task.
    """

    id = "REF006"
    title = "an input comes from a task that is not needed"
    fix = "add the task to needs"
    requires = ("SPEC001", "SPEC004", "REF001")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        producers = _producers(subject)
        for task in subject.tasks:
            inputs = [(loc, name) for loc, name in task.texts("inputs") if name in producers]
            before = _ancestors(subject, task) if inputs else set()
            for loc, name in inputs:
                writers = [writer.id for writer in producers[name]]
                if not before.intersection(writers):
                    expected = f"{one_of(writers)} in needs of {task.id}, or before it"
                    yield self.finding(task.place(*loc), name, expected)


class OutputTwice(TreeRule):
    """If two tasks write one file, the last run overwrites the other's."""

    id = "REF007"
    title = "two tasks write one file"
    fix = "rename one of the outputs"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        first: dict[str, tuple[TaskEntry, tuple[str | int, ...]]] = {}
        for task in subject.tasks:
            for loc, name in task.texts("outputs"):
                owner, there = first.setdefault(name, (task, loc))
                if (owner, there) != (task, loc):
                    expected = f"another name: {owner.id} writes it, at {owner.place(*there)}"
                    yield self.finding(task.place(*loc), name, expected)


class TakesOverUnknown(TreeRule):
    """Some tasks take over another task's parameters. A policy is a task of P2, candidates are
    students of P1, and the base of an ablation is any task but an ablation.
    """

    id = "REF008"
    title = "a task builds on one that does not exist or does not fit"
    fix = "name a task of the expected stage"
    STAGES = (("policy", ("Q",)), ("base", ("K", "Q", "KQ", "P")), ("candidates", ("K",)))

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for task in subject.tasks:
            for key, stages in self.STAGES:
                value = task.raw.get(key)
                named = [((key,), value)] if isinstance(value, str) else list(task.texts(key))
                fitting = [task_id for task_id in subject.by_id if stage_of(task_id) in stages]
                for loc, other in named:
                    if other not in fitting or other == task.id:
                        expected = f"another task of stage {one_of(stages)}"
                        yield self.finding(task.place(*loc), other, expected, choices=fitting)


class BaselineUnknown(TreeRule):
    """The baseline of a line is a task that has run before the line is judged. It comes before
    every task that names the line.
    """

    id = "REF009"
    title = "a line's baseline is not a task that runs before"
    fix = "name a task with a record, and add it to the needs of each task with the line"
    requires = ("SPEC001", "SPEC004", "REF001")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for name, (file, gate) in subject.gates.items():
            if gate.baseline is None:
                continue
            place = file.place(("spec", "gates", name, "baseline"))
            if subject.tasks and gate.baseline not in subject.by_id:
                yield self.finding(place, gate.baseline, "the id of a task", choices=subject.by_id)
                continue
            for task in subject.tasks:
                held = any(used == name for _, used in task.texts("gate"))
                if held and gate.baseline not in _ancestors(subject, task):
                    expected = f"{gate.baseline} in needs of {task.id}, or before it"
                    yield self.finding(task.place("needs", of_key=True), name, expected)


def _producers(tree: SpecTree) -> dict[str, list[TaskEntry]]:
    """The tasks that write each file."""
    producers: dict[str, list[TaskEntry]] = {}
    for task in tree.tasks:
        for _, name in task.texts("outputs"):
            producers.setdefault(name, []).append(task)
    return producers


def _ancestors(tree: SpecTree, task: TaskEntry) -> set[str]:
    """Every task that runs before `task`."""
    ancestors: set[str] = set()
    waiting = [task.id]
    while waiting:
        entry = tree.by_id.get(waiting.pop())
        for _, needed in entry.texts("needs") if entry else ():
            if needed not in ancestors:
                ancestors.add(needed)
                waiting.append(needed)
    return ancestors


RULES = (
    NeedsUnknown(),
    Cycle(),
    EscalationUnknown(),
    GateUnknown(),
    InputUnproduced(),
    InputNotNeeded(),
    OutputTwice(),
    TakesOverUnknown(),
    BaselineUnknown(),
)
