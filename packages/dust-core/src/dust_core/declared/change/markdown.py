"""A difference as the Markdown that a reviewer reads."""

from collections.abc import Iterable, Iterator

from dust_core.declared.agreed.design import AgreedLine
from dust_core.declared.agreed.lines import LETS_MORE_THROUGH, HeldLine
from dust_core.declared.change.diff import Difference, FileChange, TaskChange
from dust_core.declared.change.lines import LineChange
from dust_core.declared.change.stale import Stale
from dust_core.declared.change.text import code, codes, counted, hours, signed, table
from dust_core.declared.change.values import FieldChange


def render(change_set: Difference) -> str:
    """The whole report, the most urgent part first; empty sections are left out."""
    parts = [
        "## What this changes in meaning",
        f"{code(change_set.head)} compared with {code(change_set.base)}.",
        *_refusals(change_set),
        *_summary(change_set),
        *_lines(change_set),
        *_tasks(change_set),
        *_files(change_set),
        *_stale(change_set),
        *_waivers(change_set),
        *_prose(change_set),
    ]
    return "\n\n".join(parts) + "\n"


def _refusals(change_set: Difference) -> Iterator[str]:
    if change_set.refusals:
        items = "\n".join(f"- {code(reason)}" for reason in change_set.refusals)
        yield f"**Not to be merged as it is:**\n\n{items}"


def _summary(change_set: Difference) -> Iterator[str]:
    if change_set.unreadable:
        return
    if not change_set.means_something:
        yield "**No change in meaning.** Approving this approves no experiment."
        return
    events = [task.event for task in change_set.tasks if task.event != "changed" or task.fields]
    tasks = ", ".join(
        f"{events.count(event)} {event}"
        for event in ("added", "removed", "renamed", "changed")
        if event in events
    )
    loosened = sum(line.direction in LETS_MORE_THROUGH for line in change_set.lines)
    rows = [
        ("tasks", tasks or "none"),
        ("success lines", _counts(len(change_set.lines) - loosened, loosened)),
        ("stages to run", str(len(change_set.stale)) if change_set.stale else "none"),
        ("GPU hours of all tasks", signed(change_set.hours_added)),
        ("GPU hours to run", hours(change_set.hours_to_run)),
    ]
    yield table(("what changes", "how much"), rows)
    yield (
        "GPU hours are the specs' estimates for the full profile. Approving this approves "
        f"{hours(change_set.hours_to_run)} of them."
    )


def _counts(unloosened: int, loosened: int) -> str:
    words = [f"{loosened} loosened"] if loosened else []
    words += [f"{unloosened} tightened or added"] if unloosened else []
    return ", ".join(words) or "none"


def _lines(change_set: Difference) -> Iterator[str]:
    if change_set.lines:
        yield "### Success lines"
        rows = (
            (_name(line), f"**{line.direction}**", _text(line.old), _text(line.new),
             codes(line.tasks) or "no task", _permission(line))
            for line in change_set.lines
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


def _tasks(change_set: Difference) -> Iterator[str]:
    shown = [task for task in change_set.tasks if task.event != "changed" or task.fields]
    if not shown:
        return
    yield "### Tasks"
    for change in shown:
        yield _heading(change, change_set)
        if change.event == "added":
            yield table(("field", "value"), ((code(f.field), code(f.new)) for f in change.fields))
        elif change.event != "removed" and change.fields:
            yield _fields(change.fields)


def _heading(change: TaskChange, change_set: Difference) -> str:
    was, is_ = change.hours
    text = f"**{change.task}** {change.event}"
    if change.event == "renamed":
        text = f"**{change.former}** renamed to **{change.task}**"
    if was != is_:
        text += f", {signed(is_ - was)} GPU hours"
    if profiles := change_set.executed.get(change.former):
        text += f"; executed under {codes(profiles)}"
    return text


def _fields(fields: Iterable[FieldChange]) -> str:
    rows = ((code(field.field), code(field.old), code(field.new)) for field in fields)
    return table(("field", "was", "is"), rows)


def _files(change_set: Difference) -> Iterator[str]:
    shown = [file for file in change_set.files if file.event != "changed" or file.fields]
    if shown:
        yield "### Workload, profiles, and what tasks share"
    for change in shown:
        yield f"{code(change.path)} {change.event}"
        if change.fields:
            yield _fields(change.fields)


def _stale(change_set: Difference) -> Iterator[str]:
    if change_set.stale:
        yield "### Stages to run"
        yield _stale_table(change_set, change_set.stale.values())
    for profile, stages in change_set.stale_by_profile.items():
        more = "also, " if change_set.stale else ""
        yield f"### Stages to run, {more}under {code(profile)}"
        yield _stale_table(change_set, stages.values())


def _stale_table(change_set: Difference, stages: Iterable[Stale]) -> str:
    rows = (
        (
            code(stale.task),
            "; ".join(
                [
                    *(code(reason) for reason in stale.reasons),
                    *([f"builds on {codes(stale.after)}"] if stale.after else []),
                ]
            ),
            codes(change_set.executed.get(stale.task, ())) or "never",
            hours(change_set.hours[stale.task]),
        )
        for stale in stages
    )
    return table(("stage", "because of", "executed under", "GPU hours"), rows)


def _waivers(change_set: Difference) -> Iterator[str]:
    if change_set.waivers:
        yield "### Waivers"
        rows = (
            (code(change.line), f"**{change.event}**", str(change.waiver.expires),
             code(change.waiver.owner), code(change.waiver.reason))
            for change in change_set.waivers
        )  # fmt: skip
        yield table(("line", "event", "holds until", "owner", "reason"), rows)


def _prose(change_set: Difference) -> Iterator[str]:
    tasks = ((task.task, task) for task in change_set.tasks if task.event in ("changed", "renamed"))
    files = ((file.path, file) for file in change_set.files if file.event == "changed")
    named: tuple[tuple[str, TaskChange | FileChange], ...] = (*tasks, *files)
    changes = [(name, change) for name, source in named for change in source.prose]
    if changes:
        rows = (
            (code(name), code(field.field), code(field.old), code(field.new))
            for name, field in changes
        )
        content = table(("where", "field", "was", "is"), rows)
        title = f"Wording and estimates, which decide nothing: {counted(len(changes), 'change')}"
        yield f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
