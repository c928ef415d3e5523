"""A difference as the Markdown that a reviewer reads."""

from collections.abc import Iterable, Iterator

from dust_core.declared.agreed.design import AgreedLine
from dust_core.declared.agreed.lines import LETS_MORE_THROUGH, HeldLine
from dust_core.declared.change.diff import Difference, FileChange, TaskChange
from dust_core.declared.change.lines import LineChange
from dust_core.declared.change.stale import Stale
from dust_core.declared.change.text import code, codes, counted, hours, signed, table
from dust_core.declared.change.values import FieldChange


def render(found: Difference) -> str:
    """The whole report, the most pressing first; sections without content are left out."""
    parts = [
        "## What this changes in meaning",
        f"{code(found.head)} compared with {code(found.base)}.",
        *_refusals(found),
        *_summary(found),
        *_lines(found),
        *_tasks(found),
        *_files(found),
        *_stale(found),
        *_waivers(found),
        *_prose(found),
    ]
    return "\n\n".join(parts) + "\n"


def _refusals(found: Difference) -> Iterator[str]:
    if found.refusals:
        items = "\n".join(f"- {code(reason)}" for reason in found.refusals)
        yield f"**Not to be merged as it is:**\n\n{items}"


def _summary(found: Difference) -> Iterator[str]:
    if found.unreadable:
        return
    if not found.means_something:
        yield "**No change in meaning.** Approving it approves no experiment."
        return
    events = [one.event for one in found.tasks if one.event != "changed" or one.fields]
    tasks = ", ".join(
        f"{events.count(event)} {event}"
        for event in ("added", "removed", "renamed", "changed")
        if event in events
    )
    loosened = sum(line.direction in LETS_MORE_THROUGH for line in found.lines)
    rows = [
        ("tasks", tasks or "none"),
        ("success lines", _counts(len(found.lines) - loosened, loosened)),
        ("stages to run", str(len(found.stale)) if found.stale else "none"),
        ("GPU hours of all tasks", signed(found.hours_added)),
        ("GPU hours to run", hours(found.hours_to_run)),
    ]
    yield table(("what changes", "how much"), rows)
    yield (
        "GPU hours are the specs' estimates for the full profile. Approving this approves "
        f"{hours(found.hours_to_run)} of them."
    )


def _counts(others: int, loosened: int) -> str:
    words = [f"{loosened} loosened"] if loosened else []
    words += [f"{others} tightened or added"] if others else []
    return ", ".join(words) or "none"


def _lines(found: Difference) -> Iterator[str]:
    if found.lines:
        yield "### Success lines"
        rows = (
            (_name(line), f"**{line.direction}**", _text(line.old), _text(line.new),
             codes(line.tasks) or "no task", _permission(line))
            for line in found.lines
        )  # fmt: skip
        yield table(("line", "direction", "was", "is", "held to it", "waiver"), rows)


def _name(line: LineChange) -> str:
    return codes(dict.fromkeys(one.name for one in (line.old, line.new) if one is not None))


def _text(line: HeldLine | AgreedLine | None) -> str:
    return code(line.text) if line else "—"


def _permission(line: LineChange) -> str:
    if line.waiver is not None:
        waiver = line.waiver
        return f"until {waiver.expires}, {code(waiver.owner)}: {code(waiver.reason)}"
    if not line.refused:
        return "not needed"
    return "**missing**" if line.direction == "loosened" else "**not possible**"


def _tasks(found: Difference) -> Iterator[str]:
    shown = [one for one in found.tasks if one.event != "changed" or one.fields]
    if not shown:
        return
    yield "### Tasks"
    for change in shown:
        yield _heading(change, found)
        if change.event == "added":
            yield table(("field", "value"), ((code(f.field), code(f.new)) for f in change.fields))
        elif change.event != "removed" and change.fields:
            yield _fields(change.fields)


def _heading(change: TaskChange, found: Difference) -> str:
    was, is_ = change.hours
    text = f"**{change.task}** {change.event}"
    if change.event == "renamed":
        text = f"**{change.former}** renamed to **{change.task}**"
    if was != is_:
        text += f", {signed(is_ - was)} GPU hours"
    if profiles := found.executed.get(change.former):
        text += f"; executed under {codes(profiles)}"
    return text


def _fields(fields: Iterable[FieldChange]) -> str:
    rows = ((code(one.field), code(one.old), code(one.new)) for one in fields)
    return table(("field", "was", "is"), rows)


def _files(found: Difference) -> Iterator[str]:
    shown = [one for one in found.files if one.event != "changed" or one.fields]
    if shown:
        yield "### Workload, profiles, and what tasks share"
    for change in shown:
        yield f"{code(change.path)} {change.event}"
        if change.fields:
            yield _fields(change.fields)


def _stale(found: Difference) -> Iterator[str]:
    if found.stale:
        yield "### Stages to run"
        yield _stale_table(found, found.stale.values())
    for profile, stages in found.stale_by_profile.items():
        more = "also, " if found.stale else ""
        yield f"### Stages to run, {more}under {code(profile)}"
        yield _stale_table(found, stages.values())


def _stale_table(found: Difference, stages: Iterable[Stale]) -> str:
    rows = (
        (
            code(one.task),
            "; ".join(
                [
                    *(code(reason) for reason in one.reasons),
                    *([f"builds on {codes(one.after)}"] if one.after else []),
                ]
            ),
            codes(found.executed.get(one.task, ())) or "never",
            hours(found.hours[one.task]),
        )
        for one in stages
    )
    return table(("stage", "because of", "executed under", "GPU hours"), rows)


def _waivers(found: Difference) -> Iterator[str]:
    if found.waivers:
        yield "### Waivers"
        rows = (
            (code(one.line), f"**{one.event}**", str(one.waiver.expires), code(one.waiver.owner),
             code(one.waiver.reason))
            for one in found.waivers
        )  # fmt: skip
        yield table(("line", "event", "holds until", "owner", "reason"), rows)


def _prose(found: Difference) -> Iterator[str]:
    tasks = ((one.task, one) for one in found.tasks if one.event in ("changed", "renamed"))
    files = ((one.path, one) for one in found.files if one.event == "changed")
    named: tuple[tuple[str, TaskChange | FileChange], ...] = (*tasks, *files)
    changes = [(name, change) for name, source in named for change in source.prose]
    if changes:
        rows = (
            (code(name), code(one.field), code(one.old), code(one.new)) for name, one in changes
        )
        content = table(("where", "field", "was", "is"), rows)
        title = f"Wording and estimates, which decide nothing: {counted(len(changes), 'change')}"
        yield f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
