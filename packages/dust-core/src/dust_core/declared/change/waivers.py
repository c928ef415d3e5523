"""What becomes of waivers in a change, and whether somebody else than the author approved them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from dust_core.declared.agreed.owners import Approvers
from dust_core.declared.specs.models import Permission

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class WaiverChange:
    """A waiver that was added, removed or changed, or that has expired.

    Attributes:
        line: the line, or the address of the protected value.
        event: what became of the waiver.
        waiver: the waiver, at the base if it was removed.
        refusal: why the change of the waiver is refused; empty if it is not.
    """

    line: str
    event: Literal["added", "changed", "removed", "expired"]
    waiver: Permission
    refusal: str = ""


def waivers_of(side: "Snapshot") -> dict[str, Permission]:
    """The waivers of a side by line, and by address for those of protected values."""
    beside_lines = {name: gate.waiver for name, gate in side.gates.items() if gate.waiver}
    return {**beside_lines, **{waiver.value: waiver for waiver in side.value_waivers}}


def waiver_changes(
    old: "Snapshot", new: "Snapshot", today: date, approvers: Approvers
) -> tuple[WaiverChange, ...]:
    """The changes of waivers, line by line; expired waivers are reported however old they are."""
    before, after = waivers_of(old), waivers_of(new)
    return tuple(
        change
        for name in dict.fromkeys((*after, *before))
        for change in _events(name, before.get(name), after.get(name), today, approvers)
    )


def _events(
    name: str,
    before: Permission | None,
    after: Permission | None,
    today: date,
    approvers: Approvers,
) -> Iterator[WaiverChange]:
    if before and not after:
        yield WaiverChange(name, "removed", before)
    if after and after != before:
        refusal = _refusal(name, after, approvers)
        yield WaiverChange(name, "changed" if before else "added", after, refusal)
    if after and after.expires < today:
        yield WaiverChange(name, "expired", after)


def _refusal(name: str, waiver: Permission, approvers: Approvers) -> str:
    match approvers.fault(waiver.approved_by):
        case "author":
            return f"the waiver of {name} is approved by {waiver.approved_by}, who wrote it"
        case "unknown":
            owners = " or ".join(sorted(approvers.owners)) or "nobody"
            return (
                f"the waiver of {name} is approved by {waiver.approved_by}, and the base's "
                f"CODEOWNERS names {owners}"
            )
        case None:
            return ""
