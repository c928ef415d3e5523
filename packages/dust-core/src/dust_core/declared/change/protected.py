"""Protected values that a change makes easier, and what permits it: a new run, or a waiver."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from dust_core.declared.agreed.lines import LONGEST
from dust_core.declared.agreed.protected import (
    Direction,
    ProtectedValue,
    direction,
    protected_values,
)
from dust_core.declared.change.executed import Execution
from dust_core.declared.change.heirs import formers
from dust_core.declared.change.stages import stages, upstream
from dust_core.declared.change.stale import PROFILES
from dust_core.declared.change.values import ABSENT
from dust_core.declared.project import EMBEDDED_PROFILE
from dust_core.declared.specs.decides import decisive
from dust_core.declared.specs.models import ValueWaiver

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ProtectedChange:
    """A protected value that changed.

    Attributes:
        path: its address at the head, e.g. `specs/profiles/small.yaml: threads`.
        was: the value at the base, as plain JSON.
        is_: the value at the head; `ABSENT` where the profile is removed.
        direction: easier, harder, or other where the table gives it no direction.
        why: how it makes passing easier.
        tasks: the tasks that depend on it and need a new run because of it.
        without_run: those of them that have none.
        permitted_by: a waiver, or new runs of all tasks; None where nothing permits it, or where
            nothing has to.
        refused: whether it makes passing easier and nothing permits it.
    """

    path: str
    was: Any
    is_: Any
    direction: Direction
    why: str
    tasks: tuple[str, ...]
    without_run: tuple[str, ...]
    permitted_by: ValueWaiver | Literal["run"] | None
    refused: bool

    @property
    def refusal(self) -> str:
        """A sentence that says why the change is refused and what would be right."""
        tasks = ", ".join(self.without_run)
        return (
            f"{self.path} changes so that passing is easier ({self.why}): restore it, or write the "
            f"next run of {tasks}"
        )


def protected_changes(
    old: "Snapshot",
    new: "Snapshot",
    executed: Sequence[Execution],
    today: date,
    renamed: Mapping[str, str],
) -> tuple[ProtectedChange, ...]:
    """Every protected value that differs.

    Args:
        old: the specs at the base.
        new: the specs at the head.
        executed: what was executed before the change is merged.
        today: the day on which waivers are judged.
        renamed: tasks that are in the place of another: the new one -> the old one.
    """
    if not (old.has_specs and new.has_specs):
        return ()
    return _Comparison(old, new, executed, today, renamed).changes()


class _Comparison:
    """Two sides, with what the judgement of each value needs."""

    def __init__(
        self,
        old: "Snapshot",
        new: "Snapshot",
        executed: Sequence[Execution],
        today: date,
        renamed: Mapping[str, str],
    ) -> None:
        self.old, self.new, self.executed, self.today = old, new, executed, today
        self.places = dict(formers(old.tasks, new.tasks, renamed))
        self.before = protected_values(old.models)
        self.after = protected_values(new.models)
        profile = next(
            (name for name in (EMBEDDED_PROFILE, *old.profiles) if name in old.profiles), ""
        )
        self.graph = stages(old.specs, profile) if profile else {}
        self.waived_before = {waiver.value: waiver for waiver in old.value_waivers}
        self.waived = {waiver.value: waiver for waiver in new.value_waivers}

    def changes(self) -> tuple[ProtectedChange, ...]:
        return (*self._changed(), *self._removed_profiles())

    def _changed(self) -> Iterator[ProtectedChange]:
        for value in self.after.values():
            former = self.before.get(self._former_address(value))
            if former is None:
                continue
            departure, restored = self.waived_before.get(value.address), False
            was = self._under_present_ids(former)
            if departure is not None and was == value.value:
                if value.address in self.waived:
                    continue
                was = decisive(departure.from_)  # its waiver is gone, and the value stays
            elif departure is not None:
                restored = value.value == decisive(departure.from_)
            if was != value.value:
                yield self._judged(value, was, restored=restored)

    def _former_address(self, value: ProtectedValue) -> str:
        if not value.task:
            return value.address
        former = self.places.get(value.task, "")
        return f"{value.file}: {former}.{value.key.partition('.')[2]}"

    def _under_present_ids(self, former: ProtectedValue) -> Any:
        """A value of the base, with the tasks that it names under their ids at the head."""
        if not former.rule.names_tasks:
            return former.value
        heads = {old: task for task, old in self.places.items()}
        match former.value:
            case {"escalate": target}:
                return {"escalate": heads.get(target, target)}
            case list(tasks):
                return [heads.get(task, task) for task in tasks]
            case value:
                return heads.get(value, value)

    def _judged(self, value: ProtectedValue, was: Any, *, restored: bool) -> ProtectedChange:
        way = direction(value.rule.way, was, value.value)
        if restored:
            way = "harder"
        tasks = tuple(self._tasks(value))
        held = tuple(task for task in tasks if not self._has_new_run(task))
        permission: ValueWaiver | Literal["run"] | None = self._waiver(value, was)
        if permission is None and tasks and not held:
            permission = "run"
        easier = way == "easier"
        return ProtectedChange(
            value.address, was, value.value, way, value.rule.why, tasks, held,
            permission if easier else None,
            refused=easier and bool(held) and permission is None,
        )  # fmt: skip

    def _waiver(self, value: ProtectedValue, was: Any) -> ValueWaiver | None:
        """The waiver of a value that permits this change today."""
        waiver = self.waived.get(value.address)
        if waiver is None or not self.today <= waiver.expires <= self.today + LONGEST:
            return None
        earlier = self.waived_before.get(value.address)
        departures = [was] if earlier is None else [was, decisive(earlier.from_)]
        is_covered = decisive(waiver.from_) in departures and value.is_within(decisive(waiver.to))
        return waiver if is_covered else None

    def _tasks(self, value: ProtectedValue) -> Iterator[str]:
        """The tasks that need a new run, by their ids at the head; at the base if they are gone.

        What builds on a task that reads the value depends on the value too.
        """
        if value.task:
            yield value.task
            return
        heads = {former: task for task, former in self.places.items()}
        if not value.file.startswith((PROFILES, "specs/v1/workload")):
            for stage in self.graph.values():
                if "spec.common" in stage.keys.get(value.file, ()):
                    yield heads.get(stage.name, stage.name)
            return
        profile = value.file.removeprefix(PROFILES).removesuffix(".yaml")
        shared = not value.file.startswith(PROFILES)
        executed = [run for run in self.executed if shared or run.profile == profile]
        readers = {run.task for run in executed if self._reads(run, value)}
        for task in dict.fromkeys(run.task for run in executed):
            if task in self.graph and upstream(self.graph, [task]) & readers:
                yield heads.get(task, task)

    @staticmethod
    def _reads(execution: Execution, value: ProtectedValue) -> bool:
        """Whether an executed task depends on a value, as its lock recorded it.

        `quotable` is no parameter of a task: all figures under the profile depend on it.
        """
        key = f"spec.{value.key}"
        recorded = next(
            (keys for file, keys in execution.parameters.items() if file == value.file), {}
        )
        return value.key == "quotable" or any(
            f"{key}.".startswith(f"{name}.") or name.startswith(f"{key}.") for name in recorded
        )

    def _has_new_run(self, task: str) -> bool:
        if task not in self.new.tasks:
            return False
        former = self.places.get(task)
        ran = [execution.run for execution in self.executed if execution.task == (former or task)]
        runs = [*ran, *([self.old.tasks[former].run] if former else [])]
        return self.new.tasks[task].run > max(runs, default=0)

    def _removed_profiles(self) -> Iterator[ProtectedChange]:
        """Executed profiles that are gone: nobody is bound by their figures any more."""
        for address, value in self.before.items():
            if value.key == "quotable" and value.value and address not in self.after:
                tasks = tuple(self._tasks(value))
                yield ProtectedChange(
                    address, value.value, ABSENT, "easier", value.rule.why, tasks, tasks, None,
                    refused=bool(tasks),
                )  # fmt: skip
