"""A difference as the Markdown that a reviewer reads: the decision first, then its grounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dust_core.declared.agreed.design import AgreedLine
from dust_core.declared.agreed.lines import LETS_MORE_THROUGH, HeldLine
from dust_core.declared.change.deciding import GENERATED, DecidingFiles
from dust_core.declared.change.details import details
from dust_core.declared.change.diff import Difference
from dust_core.declared.change.lines import LineChange
from dust_core.declared.change.protected import ProtectedChange
from dust_core.declared.change.text import (
    code,
    codes,
    counted,
    counted_hours,
    hours,
    signed,
    table,
    was_and_is,
)

_PASSING = {"easier": "**easier**", "harder": "**harder**", "other": "**as before**"}

NAMED = 6
"""How many stages the decision names."""

FILES = 8
"""How many files of a group the report names; `git diff` has them all."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What other parts of a review add to the report.

    Attributes:
        reasons: why the change may not be merged, beside the reasons of the difference.
        after_lines: a section for below the success lines.
        at_end: sections for the end.
    """

    reasons: tuple[str, ...] = ()
    after_lines: str = ""
    at_end: tuple[str, ...] = ()


def render(change_set: Difference, beside: Beside = Beside()) -> str:
    """The whole report, the most urgent part first; empty sections are left out."""
    parts = [
        *_decision(change_set, (*change_set.refusals, *beside.reasons)),
        f"{code(change_set.head)} compared with {code(change_set.base)}.",
        *_summary(change_set),
        *_lines(change_set),
        beside.after_lines,
        *_protected(change_set),
        *_waivers(change_set),
        *_executions(change_set),
        *_deciding(change_set),
        *details(change_set),
        *beside.at_end,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _decision(change_set: Difference, reasons: Sequence[str]) -> Iterator[str]:
    """Whether this may be merged, why not, and what approving it approves."""
    if reasons:
        yield f"## Not to be merged as it is: {counted(len(reasons), 'reason')}"
        yield "\n".join(f"- {code(reason)}" for reason in reasons)
    else:
        yield "## May be merged"
    if change_set.unreadable:
        return
    # What follows from the specs decides nothing by itself.
    deciding = [group for group in change_set.deciding if group.group != GENERATED]
    if not change_set.means_something and deciding:
        count = sum(len(group.files) for group in deciding)
        files = "1 file that decides" if count == 1 else f"{count} files that decide"
        yield (
            f"**No change in the specs; {files} results changed.** "
            "Approving this approves no experiment, and how results come about."
        )
    elif not change_set.means_something:
        yield "**No change in meaning.** Approving this approves no experiment."
    elif not reasons:
        yield f"**Approving this approves {_approved(change_set)}.**"


def _approved(change_set: Difference) -> str:
    worse = _worse(change_set)
    waived = f", and {counted(worse, 'laxer success line')} under a waiver" if worse else ""
    stages = change_set.stages_to_run
    if not stages:
        return f"no experiment: no stage has to run{waived}"
    spent = counted_hours(change_set.hours_to_run)
    more = f" and {len(stages) - NAMED} more" if len(stages) > NAMED else ""
    named = f"{codes(stages[:NAMED])}{more}"
    return f"{counted(len(stages), 'stage')} to run and {spent} ({named}){waived}"


def _worse(change_set: Difference) -> int:
    """How many success lines let more through than before."""
    return sum(line.direction in LETS_MORE_THROUGH for line in change_set.lines)


def _summary(change_set: Difference) -> Iterator[str]:
    if change_set.unreadable or not change_set.means_something:
        return
    events = [task.event for task in change_set.tasks if task.event != "changed" or task.fields]
    tasks = ", ".join(
        f"{events.count(event)} {event}"
        for event in ("added", "removed", "renamed", "changed")
        if event in events
    )
    if not (tasks or change_set.lines or change_set.stages_to_run or change_set.hours_added):
        return
    worse = _worse(change_set)
    cells = {
        "success lines": _counts(len(change_set.lines) - worse, worse),
        "tasks": tasks or "none",
        "stages to run": str(len(change_set.stages_to_run) or "none"),
        "GPU hours to run": hours(change_set.hours_to_run),
        "GPU hours of all tasks": signed(change_set.hours_added),
    }
    yield table(tuple(cells), [tuple(cells.values())])


def _counts(unloosened: int, loosened: int) -> str:
    words = [f"**{loosened} loosened or dropped**"] if loosened else []
    words += [f"{unloosened} tightened or added"] if unloosened else []
    return ", ".join(words) or "none"


def _lines(change_set: Difference) -> Iterator[str]:
    if change_set.lines:
        yield "### Success lines"
        urgent_first = sorted(
            change_set.lines, key=lambda line: line.direction not in LETS_MORE_THROUGH
        )
        rows = (
            (_name(line), f"**{line.direction}**", _text(line.old), _text(line.new),
             codes(line.tasks) or "no task", _permission(line))
            for line in urgent_first
        )  # fmt: skip
        yield table(("line", "direction", "was", "is", "held to it", "waiver"), rows)


def _name(line: LineChange) -> str:
    return codes(dict.fromkeys(side.name for side in (line.old, line.new) if side is not None))


def _text(line: HeldLine | AgreedLine | None) -> str:
    return code(line.text) if line else "—"


def _permission(line: LineChange) -> str:
    if line.waiver is not None:
        waiver = line.waiver
        return f"until {waiver.expires}, {code(waiver.owner)}: {code(waiver.reason)}"
    if not line.refused:
        return "not needed"
    return "**missing**" if line.direction == "loosened" else "**not possible**"


def _protected(change_set: Difference) -> Iterator[str]:
    """Values that are no lines and decide what passes: those that make passing easier first."""
    if change_set.protected:
        yield "### Values that decide what passes"
        order = ("easier", "other", "harder")
        urgent_first = sorted(
            change_set.protected, key=lambda change: order.index(change.direction)
        )
        rows = (
            (code(change.path), _PASSING[change.direction], *was_and_is(change.was, change.is_),
             codes(change.tasks) or "no task", _permitted(change))
            for change in urgent_first
        )  # fmt: skip
        yield table(("value", "passing is", "was", "is", "tasks", "permitted by"), rows)


def _permitted(change: ProtectedChange) -> str:
    if change.direction != "easier":
        return "not needed"
    match change.permitted_by:
        case None:
            return "**nothing**" if change.refused else "not needed"
        case "run":
            return "their next runs"
        case waiver:
            return f"{code(waiver.approved_by)} until {waiver.expires}: {code(waiver.reason)}"


def _waivers(change_set: Difference) -> Iterator[str]:
    if change_set.waivers:
        yield "### Waivers"
        rows = (
            (code(change.line), f"**{change.event}**", str(change.waiver.expires),
             code(change.waiver.owner), code(change.waiver.reason))
            for change in change_set.waivers
        )  # fmt: skip
        yield table(("line", "event", "holds until", "owner", "reason"), rows)


def _executions(change_set: Difference) -> Iterator[str]:
    if change_set.appended:
        yield "### Executions"
        rows = (
            (code(line.task), code(line.profile), str(line.run),
             f"**{line.verdict or 'not judged'}**", code(line.device[:8]), code(line.commit[:10]))
            for line in change_set.appended
        )  # fmt: skip
        yield table(("task", "profile", "run", "verdict", "device", "commit"), rows)


def _deciding(change_set: Difference) -> Iterator[str]:
    """Files outside of the specs: nobody sees from the specs that they changed."""
    if change_set.deciding:
        yield "### Files that decide results"
        yield table(
            ("what they decide", "files"), ((g.group, _named(g)) for g in change_set.deciding)
        )
    if change_set.outdated:
        yield (
            f"Measuring code changed: {counted(change_set.outdated, 'result')} are of the old code "
            "and cannot be compared with new ones until they are measured again."
        )


def _named(group: DecidingFiles) -> str:
    words = {"A": " (new)", "D": " (removed)"}
    shown = (f"{code(file.path)}{words.get(file.status, '')}" for file in group.files[:FILES])
    more = f" and {len(group.files) - FILES} more" if len(group.files) > FILES else ""
    return f"{', '.join(shown)}{more}"
