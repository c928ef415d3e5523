"""Waivers that permit more than anybody approved."""

from manipulations.case import case
from manipulations.clone import Clone

WAIVERS = "Waivers"
GATES = "specs/v1/gates.yaml"
DIFF = "diff main HEAD"


def _loosen(clone: Clone, value: str, **fields: str) -> None:
    waiver = {
        "from": "25",
        "to": "20",
        "reason": "this runtime pads channels to multiples of 32",
        "owner": '"@dust-project/spec-approvers"',
        "approved_by": '"@dust-project/spec-approvers"',
        "expires": _days_from_now(90),
    } | fields
    text = "".join(f"        {name}: {content}\n" for name, content in waiver.items() if content)
    clone.edit(GATES, "value: 25\n", f"value: {value}\n      waiver:\n{text}")


def _days_from_now(days: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


@case(WAIVERS, "A loosened line has a waiver that covers it.", DIFF, "**added**", code=0)
def waived(clone: Clone) -> None:
    _loosen(clone, "20")
    clone.next_run("specs/v1/prune.yaml", "P-3")


@case(
    WAIVERS,
    "The line is looser than its waiver permits.",
    DIFF,
    "GATE012 a waiver does not cover what it stands beside: found 20, expected 10 %",
)
def looser_than_waived(clone: Clone) -> None:
    _loosen(clone, "10")


@case(
    WAIVERS,
    "The waiver departs from another value than the agreed one.",
    DIFF,
    "GATE012 a waiver does not cover what it stands beside: found 22, expected 25 %",
)
def other_origin(clone: Clone) -> None:
    _loosen(clone, "20", **{"from": "22"})


@case(WAIVERS, "The waiver has no scope.", DIFF, "waiver.from: the field is absent")
def no_scope(clone: Clone) -> None:
    _loosen(clone, "20", **{"from": "", "to": ""})


@case(WAIVERS, "Nobody approved the waiver.", DIFF, "waiver.approved_by: the field is absent")
def nobody(clone: Clone) -> None:
    _loosen(clone, "20", approved_by="")


@case(
    WAIVERS,
    "The author of the commit approves the waiver.",
    DIFF,
    "is approved by author@example.org",
)
def by_its_author(clone: Clone) -> None:
    _loosen(clone, "20", approved_by='"author@example.org"')


@case(WAIVERS, "Somebody approves it who owns no specs.", DIFF, "is approved by @stranger")
def by_a_stranger(clone: Clone) -> None:
    _loosen(clone, "20", approved_by='"@stranger"')


@case(
    WAIVERS,
    "The author becomes an owner in the same pull request.",
    DIFF,
    "is approved by @stranger",
)
def owner_added_with_it(clone: Clone) -> None:
    clone.edit(".github/CODEOWNERS", "/specs/ ", "/specs/ @stranger ")
    _loosen(clone, "20", approved_by='"@stranger"')


@case(
    WAIVERS,
    "The waiver never ends.",
    DIFF,
    "GATE013 the waiver holds for too long: found 2099-12-31, expected a date within 180 days",
)
def for_ever(clone: Clone) -> None:
    _loosen(clone, "20", expires="2099-12-31")


@case(WAIVERS, "The waiver has expired.", DIFF, "GATE002 the waiver has expired")
def expired(clone: Clone) -> None:
    _loosen(clone, "20", expires="2026-01-31")


@case(
    WAIVERS,
    "A waiver is written in advance, beside a line that is not loosened.",
    DIFF,
    "GATE004 a waiver permits nothing that is there",
)
def in_advance(clone: Clone) -> None:
    _loosen(clone, "25")
