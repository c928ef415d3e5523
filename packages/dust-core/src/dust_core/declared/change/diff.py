"""What a change of the specs means: the comparison behind `dust diff`, without input or output."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dust_core.declared.agreed.owners import Approvers
from dust_core.declared.change.chain import Chain
from dust_core.declared.change.deciding import MEASURING, DecidingFiles
from dust_core.declared.change.files import FileChange, file_changes
from dust_core.declared.change.heirs import renamed as renamed_tasks
from dust_core.declared.change.immutable import Conflict, conflict_refusals, conflicts
from dust_core.declared.change.lines import LineChange, line_changes
from dust_core.declared.change.protected import ProtectedChange, protected_changes
from dust_core.declared.change.snapshot import Snapshot
from dust_core.declared.change.stages import stages
from dust_core.declared.change.stale import PROFILES, Stale, stale_stages
from dust_core.declared.change.values import (
    ABSENT,
    FieldChange,
    compare,
)
from dust_core.declared.change.waivers import WaiverChange, waiver_changes
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.of_specs import invalid_specs
from dust_core.declared.project import EMBEDDED_PROFILE
from dust_core.declared.records.ledger import LedgerLine
from dust_core.declared.specs.models import Task
from dust_core.errors import DustError

_DANGLING = ("REF001", "REF002", "REF004", "REF008", "REF009")
"""The rules on names of tasks and lines that are not there, or that lead in a circle."""


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task that is at the base, at the head, or at both.

    Attributes:
        task: its id at the head, or at the base where the head has none.
        event: what became of it.
        former: its id at the base, where that is another.
        fields: what decides it and changed; for an added task, everything that decides it.
        prose: what only describes it and changed.
        hours: GPU hours expected at the base and at the head.
    """

    task: str
    event: str
    former: str
    fields: tuple[FieldChange, ...]
    prose: tuple[FieldChange, ...]
    hours: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that the report shows a reviewer.

    Attributes:
        base: the name of the base.
        head: the name of the head.
        tasks: tasks that were added, removed, renamed or changed.
        files: what changed in spec files apart from tasks and lines.
        lines: success lines that changed.
        waivers: what became of waivers.
        protected: values that are no lines, decide what passes, and changed.
        invalid: what the rules of the validator refuse about the head's specs by themselves.
        conflicts: executed tasks that the change rewrites.
        stale: stages to run because of the change, whatever the profile.
        stale_by_profile: the stages that a change of a profile adds to those, by profile.
        executed: the profiles under which a task was executed, by its id.
        appended: executions that the change adds to the ledger.
        broken: why the executions of the head do not continue those of the base, in sentences.
        deciding: files outside of the specs that decide results and changed, by what they decide.
        outdated: how many executed tasks have results of other measuring code than the head's.
        hours: GPU hours expected of each task of the head.
        gpu_profiles: the profiles of the head that run on a GPU; the hours are estimates for them.
        unreadable: why the head's specs cannot be read; everything else is empty then.
    """

    base: str
    head: str
    tasks: tuple[TaskChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    lines: tuple[LineChange, ...] = ()
    waivers: tuple[WaiverChange, ...] = ()
    protected: tuple[ProtectedChange, ...] = ()
    invalid: tuple[Finding, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    stale: Mapping[str, Stale] = field(default_factory=dict)
    stale_by_profile: Mapping[str, Mapping[str, Stale]] = field(default_factory=dict)
    executed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    appended: tuple[LedgerLine, ...] = ()
    broken: tuple[str, ...] = ()
    deciding: tuple[DecidingFiles, ...] = ()
    outdated: int = 0
    hours: Mapping[str, float] = field(default_factory=dict)
    gpu_profiles: tuple[str, ...] = ()
    unreadable: str = ""

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why this must not be merged as it is; empty if it may be merged."""
        reasons = [self.unreadable] if self.unreadable else []
        reasons += [line.refusal for line in self.lines if line.refused]
        reasons += [waiver.refusal for waiver in self.waivers if waiver.refusal]
        reasons += [change.refusal for change in self.protected if change.refused]
        reasons += conflict_refusals(self.conflicts, self._refused_lines)
        reasons += self.broken
        reasons += [finding.sentence for finding in self.invalid if not self._says(finding)]
        return tuple(dict.fromkeys(reasons))  # a task executed under two profiles gives one reason

    @property
    def _refused_lines(self) -> set[str]:
        sides = ((line.old, line.new) for line in self.lines if line.refused)
        return {side.name for both in sides for side in both if side is not None}

    def _says(self, finding: Finding) -> bool:
        """Whether a refused line gives the same reason as a finding of the validator."""
        subject = finding.found.partition(":")[0]
        refused = [line for line in self.lines if line.refused]
        match finding.rule:
            case "GATE001":
                return any(line.new is not None and line.new.name == subject for line in refused)
            case "GATE005":
                return any(subject in line.tasks for line in refused)
            case "GATE007":
                return any(line.direction == "moved" for line in refused)
            case "GATE014":
                return any(waiver.refusal for waiver in self.waivers)
            case _:
                return False

    @property
    def means_something(self) -> bool:
        """Whether anything changed that decides an experiment, its lines or its cost."""
        return bool(
            self.unreadable
            or self.lines
            or self.waivers
            or self.invalid
            or self.conflicts
            or self.broken
            or self.appended
            or self.stale
            or self.stale_by_profile
            or any(file.event != "changed" or file.fields for file in self.files)
            or any(task.event != "changed" or task.fields for task in self.tasks)
            or self.hours_added
        )

    @property
    def hours_added(self) -> float:
        """GPU hours that all tasks together need in addition; negative if they need fewer."""
        return sum(task.hours[1] - task.hours[0] for task in self.tasks)

    @property
    def stages_to_run(self) -> tuple[str, ...]:
        """The stages that have to run because of the change, under any profile."""
        added = (task for stages in self.stale_by_profile.values() for task in stages)
        return tuple(dict.fromkeys((*self.stale, *added)))

    @property
    def hours_to_run(self) -> float:
        """GPU hours of the stages that have to run because of the change."""
        on_gpu = (self.stale_by_profile.get(profile, {}) for profile in self.gpu_profiles)
        return sum(self.hours[task] for stages in (self.stale, *on_gpu) for task in stages)


def difference(
    old: Snapshot,
    new: Snapshot,
    tip: Snapshot,
    today: date,
    approvers: Approvers = Approvers(),  # noqa: B008 - frozen
    deciding: tuple[DecidingFiles, ...] = (),
) -> Difference:
    """Compare two snapshots of the specs.

    Args:
        old: the commit where the head left the base; it may have no specs yet.
        new: the head.
        tip: the base as it is now, which may have executed more since.
        today: the day on which waivers are judged.
        approvers: who may approve a waiver, by the base and the commits under review.
        deciding: files outside of the specs that decide results and changed.

    Raises:
        DustError: the specs of the base cannot be read.
    """
    before = dict(old.tasks)
    try:
        after = dict(new.tasks)
        new.gates, new.profiles  # noqa: B018 - read here, so that a fault is reported for the head
    except DustError as error:
        return Difference(old.name, new.name, deciding=deciding, unreadable=_said_by(error))
    renamed = renamed_tasks(before, after)
    invalid = invalid_specs(new.specs, approvers.owners) if new.has_specs else ()
    # A task that names what is not there has no stage and no digest.
    is_whole = not any(finding.rule in _DANGLING for finding in invalid)
    stale, by_profile = _stale(old, new) if is_whole else ({}, {})
    chain = Chain(tip, old, new)
    before_change = chain.before
    locked = [entry.locked for entry in before_change if entry.locked is not None]
    profiles: dict[str, list[str]] = {}
    for executed in before_change:
        profiles.setdefault(executed.attempt.task, []).append(executed.profile)
    return Difference(
        base=old.name,
        head=new.name,
        tasks=tuple(_task_changes(before, after, renamed)),
        files=tuple(file_changes(old, new)),
        lines=line_changes(old, new, today, renamed=renamed),
        waivers=waiver_changes(old, new, today, approvers),
        protected=protected_changes(old, new, locked, today, renamed),
        invalid=invalid,
        conflicts=tuple(conflicts(old, new, before_change, chain.fresh, renamed))
        if is_whole
        else (),
        stale=stale,
        stale_by_profile=by_profile,
        executed={task: tuple(names) for task, names in profiles.items()},
        appended=chain.appended,
        broken=chain.refusals,
        deciding=deciding,
        outdated=len(chain.kept) if any(g.group == MEASURING for g in deciding) else 0,
        hours={task: spec.expected_gpu_hours for task, spec in after.items()},
        gpu_profiles=_on_gpu(new),
    )


def _on_gpu(side: Snapshot) -> tuple[str, ...]:
    return tuple(name for name, spec in side.profiles.items() if spec.device.kind == "cuda")


def _said_by(error: DustError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _task_changes(
    before: Mapping[str, Task], after: Mapping[str, Task], renamed: Mapping[str, str]
) -> Iterator[TaskChange]:
    for task in (*after, *(gone for gone in before if gone not in after)):
        if task in renamed.values():
            continue
        former = renamed.get(task, task)
        was, is_ = before.get(former), after.get(task)
        old, new = was or ABSENT, is_ or ABSENT
        fields, prose = compare(old, new), compare(old, new, prose=True)
        if was is None:
            event = "added"
        elif is_ is None:
            event = "removed"
        else:
            event = "renamed" if former != task else "changed"
        if fields or prose or event != "changed":
            hours = tuple(side.expected_gpu_hours if side else 0.0 for side in (was, is_))
            yield TaskChange(task, event, former, fields, prose, (hours[0], hours[1]))


def _stale(old: Snapshot, new: Snapshot) -> tuple[dict[str, Stale], dict[str, dict[str, Stale]]]:
    """Stale stages: those of every profile, and by profile those that its own change adds."""
    if not new.profiles:
        return {}, {}
    before, after = old.written, new.written
    shared = EMBEDDED_PROFILE if EMBEDDED_PROFILE in new.profiles else next(iter(new.profiles))

    def under(profile: str, values: Mapping[str, Any]) -> dict[str, Stale]:
        was = stages(old.specs, profile) if profile in old.profiles else {}
        return stale_stages(was, stages(new.specs, profile), before, values)

    # With the profiles of the base, only what all profiles share can differ.
    kept = {path: value for path, value in before.items() if path.startswith(PROFILES)}
    everywhere = under(shared, {**after, **kept})
    added: dict[str, dict[str, Stale]] = {}
    for profile in new.profiles:
        path = f"{PROFILES}{profile}.yaml"
        if profile in old.profiles and before.get(path) != after.get(path):
            own = under(profile, after)
            more = {task: stale for task, stale in own.items() if task not in everywhere}
            if more:
                added[profile] = more
    return everywhere, added
