"""Executions before and after a change: none vanishes, and none changes without a higher run.

What was executed is in dvc.lock and in the ledger. A change may add executions. It may replace one
only by a higher run of its task, or by executing the task again on files that such a run wrote.
docs/adr/023 has the reasons.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dust_core.declared.agreed.executions import Executed, last_executions
from dust_core.declared.agreed.ledger import (
    Discord,
    disagreements,
    executed_again,
    unwritten_inputs,
)
from dust_core.declared.change.executed import executions
from dust_core.declared.change.replaced import Judged, Replacement
from dust_core.declared.records.ledger import (
    LedgerFile,
    LedgerLine,
    is_ledger,
    ledger_path,
    read_ledger,
)

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True)
class Chain:
    """The executions of a base and of a head.

    Attributes:
        tip: the base as it is now.
        fork: the commit where the head left the base.
        head: the head.
    """

    tip: "Snapshot"
    fork: "Snapshot"
    head: "Snapshot"

    @cached_property
    def profiles(self) -> tuple[str, ...]:
        """The profiles whose executions bind: quotable on any side, or in any side's ledger."""
        return tuple(
            dict.fromkeys(
                name
                for side in (self.tip, self.fork, self.head)
                for name in (*quotable(side), *recorded_profiles(side))
            )
        )

    @property
    def before(self) -> tuple[Executed, ...]:
        """What was executed before the change: at the base as it is now, else at the fork."""
        known = {(entry.profile, entry.attempt.task): entry for entry in self._last(self.fork)}
        known |= {(entry.profile, entry.attempt.task): entry for entry in self._last(self.tip)}
        return tuple(known.values())

    @property
    def appended(self) -> tuple[LedgerLine, ...]:
        """The lines that the head adds to the ledger of the fork, in the order of their files."""
        lengths = {file.path: len(file.lines) for file in ledger_of(self.fork)}
        return tuple(
            line
            for file in ledger_of(self.head)
            for line in file.lines[lengths.get(file.path, 0) :]
        )

    @property
    def fresh(self) -> tuple[Executed, ...]:
        """The head's executions that the fork does not have, or does not record in its ledger."""
        known = [(entry.profile, entry.attempt, entry.line) for entry in self._last(self.fork)]
        return tuple(
            entry
            for entry in self._last(self.head)
            if (entry.profile, entry.attempt, entry.line) not in known
        )

    @property
    def kept(self) -> tuple[Executed, ...]:
        """The executions before the change that the head has unchanged: if the change touches
        measuring code, their figures are those of the old code.
        """
        head = {(entry.profile, entry.attempt.task): entry for entry in self._last(self.head)}
        return tuple(
            entry
            for entry in self.before
            if (now := head.get((entry.profile, entry.attempt.task))) is None
            or (now.attempt.run == entry.attempt.run and _same_files(now, entry))
        )

    @cached_property
    def refusals(self) -> tuple[str, ...]:
        """Why the executions of the head must not be merged, in sentences; empty if they may."""
        return tuple(
            dict.fromkeys((*self._profiles(), *self._locks(), *self._files(), *self._discords()))
        )

    def _last(self, side: "Snapshot") -> Iterator[Executed]:
        for profile in self.profiles:
            yield from last_executions(profile, executions(side.files, profile), ledger_of(side))

    def _profiles(self) -> Iterator[str]:
        for profile in self.profiles:
            bound = [
                side
                for side in (self.tip, self.fork)
                if executions(side.files, profile) and profile in quotable(side)
            ]
            recorded = any(profile in recorded_profiles(side) for side in self._sides)
            if not (bound or recorded) or profile in quotable(self.head):
                continue
            event = "is not quotable" if profile in self.head.profiles else "is removed"
            yield (
                f"the profile {profile} has executions and {event}: they bind as long as their "
                "figures may be quoted; restore the profile"
            )

    @property
    def _sides(self) -> tuple["Snapshot", ...]:
        return (self.tip, self.fork, self.head)

    @cached_property
    def _stages(self) -> dict[str, Replacement]:
        """The stages of each profile that the head still has."""
        stages = {}
        for profile in self.profiles:
            if profile in self.head.profiles:
                tip, fork, head = (executions(side.files, profile) for side in self._sides)
                stages[profile] = Replacement(profile, tip, fork, head, self.head, self.fork)
        return stages

    def _locks(self) -> Iterator[str]:
        for stages in self._stages.values():
            yield from stages.refusals()

    def _files(self) -> Iterator[str]:
        """Files of the ledger that are not those of the base with lines appended."""
        paths = sorted({path for side in self._sides for path in side.files if is_ledger(path)})
        faults = {file.path: file.faults for file in ledger_of(self.head)}
        for path in paths:
            tip, fork, head = (side.files.get(path, b"") for side in self._sides)
            if head == fork:
                continue
            if not head.startswith(fork):
                yield (
                    f"the ledger {path} loses or rewrites lines: it only grows; restore it with "
                    f"'git checkout {self.fork.name.partition(' ')[0]} -- {path}' and append with "
                    "'dust ledger --append'"
                )
            elif not head.startswith(tip):
                yield (
                    f"{self.tip.name} appended to the ledger {path} too since this change left it: "
                    "merge the base, keep its lines first and take the next run after them"
                )
            for fault in faults.get(path, ())[:1]:
                yield f"the ledger {path} cannot be read: line {fault.line}: {fault.text}"

    @property
    def _bound_before(self) -> tuple[str, ...]:
        """The profiles whose executions bind without the change."""
        return (*quotable(self.fork), *recorded_profiles(self.fork))

    def _discords(self) -> Iterator[str]:
        """Faults of lines and locks that this change brings, except of stages refused before."""
        for discord in discords(self.head, self.profiles):
            stages = self._stages.get(discord.profile)
            judged = stages.of(discord.task) if stages else Judged(changed=False)
            path = ledger_path(discord.profile, discord.task)
            touched = (
                judged.changed
                or self.fork.files.get(path) != self.head.files.get(path)
                or discord.profile not in self._bound_before
            )
            if touched and not judged.refused:
                yield f"{discord.sentence}: {discord.advice}"


def _same_files(now: Executed, before: Executed) -> bool:
    """Whether two records of a run tell of the same outputs, as far as both locks have them."""
    if now.locked is None or before.locked is None:
        return True
    return now.locked.outputs == before.locked.outputs


def discords(side: "Snapshot", profiles: tuple[str, ...]) -> Iterator[Discord]:
    """Every fault of the ledger of a side, and between the ledger and the locks of profiles."""
    files = ledger_of(side)
    yield from executed_again(files)
    yield from unwritten_inputs(files)
    for profile in profiles:
        yield from disagreements(profile, executions(side.files, profile), files)


def quotable(side: "Snapshot") -> tuple[str, ...]:
    """The profiles of a side whose figures may be quoted."""
    return tuple(name for name, profile in side.profiles.items() if profile.quotable)


def recorded_profiles(side: "Snapshot") -> tuple[str, ...]:
    """The profiles that a side's ledger has executions of."""
    return tuple(dict.fromkeys(path.split("/")[1] for path in side.files if is_ledger(path)))


def ledger_of(side: "Snapshot") -> tuple[LedgerFile, ...]:
    """The ledger of a side."""
    return read_ledger(side.files)
