"""What changed, value by value, and the stages that have to run, as Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from dust_core.declared.change.diff import Difference, TaskChange
from dust_core.declared.change.files import FileChange
from dust_core.declared.change.stale import Stale
from dust_core.declared.change.text import (
    bounded,
    code,
    codes,
    counted,
    counted_hours,
    folded,
    hours,
    signed,
    table,
    was_and_is,
)
from dust_core.declared.change.values import FieldChange


def details(change_set: Difference) -> Iterator[str]:
    """The sections below the decision and the lines; empty ones are left out."""
    yield from _tasks(change_set)
    yield from _files(change_set)
    yield from _stages(change_set)
    yield from _prose(change_set)


def _tasks(change_set: Difference) -> Iterator[str]:
    shown = [task for task in change_set.tasks if task.event != "changed" or task.fields]
    if shown:
        parts = ["### Tasks", *(part for change in shown for part in _task(change, change_set))]
        # A new task is what approval is about. What changed in others is on demand.
        is_open = any(change.event == "added" for change in shown)
        yield folded(_tasks_in_short(shown), parts, is_open=is_open)


def _task(change: TaskChange, change_set: Difference) -> Iterator[str]:
    yield _heading(change, change_set)
    if change.event == "added":
        yield _described(change)
        yield _values(change.fields)
    elif change.event != "removed" and change.fields:
        yield _fields(change.fields)


def _tasks_in_short(shown: Sequence[TaskChange]) -> str:
    """`1 task added: K-6; 2 tasks changed: K-2, K-4`; a summary is HTML and takes no Markdown."""
    by_event: dict[str, list[str]] = {}
    for change in shown:
        by_event.setdefault(change.event, []).append(change.task)
    return "; ".join(
        f"{counted(len(tasks), 'task')} {event}: {escape(', '.join(tasks))}"
        for event, tasks in by_event.items()
    )


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


def _described(change: TaskChange) -> str:
    """What the author of a new task calls it and predicts."""
    prose = {field.field: field.new for field in change.prose}
    told = ("title", "hypothesis")
    return "\n".join(f"- {name}: {code(bounded(prose[name]))}" for name in told if name in prose)


def _fields(fields: Iterable[FieldChange]) -> str:
    rows = ((code(field.field), *was_and_is(field.old, field.new)) for field in fields)
    return table(("field", "was", "is"), rows)


def _values(fields: Iterable[FieldChange]) -> str:
    return table(("field", "value"), ((code(field.field), code(field.new)) for field in fields))


def _files(change_set: Difference) -> Iterator[str]:
    shown = [file for file in change_set.files if file.event != "changed" or file.fields]
    parts = []
    for change in shown:
        parts.append(f"{code(change.path)} {change.event}")
        if change.fields:
            write = _values if change.event == "added" else _fields
            parts.append(write(change.fields))
    if shown:
        title = "Workload, profiles, and what tasks share"
        yield folded(f"{title}: {counted(len(shown), 'file')}", [f"### {title}", *parts])


def _stages(change_set: Difference) -> Iterator[str]:
    """The stages to run; the hours of the tables add up to those of the decision."""
    parts = []
    if change_set.stale:
        parts.append("### Stages to run")
        parts.append(_stage_table(change_set, change_set.stale.values(), with_hours=True))
    for profile, stages in change_set.stale_by_profile.items():
        more = "also, " if change_set.stale else ""
        parts.append(f"### Stages to run, {more}under {code(profile)}")
        with_hours = profile in change_set.gpu_profiles
        parts.append(_stage_table(change_set, stages.values(), profile, with_hours=with_hours))
    if parts:
        verb = "would run" if change_set.refusals else "to run"  # nothing of this is decided yet
        spent = counted_hours(change_set.hours_to_run)
        yield folded(f"{counted(len(change_set.stages_to_run), 'stage')} {verb}: {spent}", parts)


def _stage_table(
    change_set: Difference, stages: Iterable[Stale], profile: str = "", *, with_hours: bool
) -> str:
    """The stages, under one profile or, with none, under all of them."""

    def executed(task: str) -> list[str]:
        profiles = change_set.executed.get(task, ())
        return [name for name in profiles if not profile or name == profile]

    rows = (
        (
            code(stale.task),
            "; ".join(
                [
                    *(code(reason) for reason in stale.reasons),
                    *([f"builds on {codes(stale.after)}"] if stale.after else []),
                ]
            ),
            codes(executed(stale.task)) or "never",
            hours(change_set.hours[stale.task]) if with_hours else "no GPU",
        )
        for stale in stages
    )
    return table(("stage", "because of", "executed under", "GPU hours"), rows)


def _prose(change_set: Difference) -> Iterator[str]:
    tasks = ((task.task, task) for task in change_set.tasks if task.event in ("changed", "renamed"))
    files = ((file.path, file) for file in change_set.files if file.event == "changed")
    named: tuple[tuple[str, TaskChange | FileChange], ...] = (*tasks, *files)
    changes = [(name, change) for name, source in named for change in source.prose]
    if changes:
        rows = (
            (code(name), code(field.field), *was_and_is(field.old, field.new))
            for name, field in changes
        )
        content = table(("where", "field", "was", "is"), rows)
        title = f"Wording and estimates, which decide nothing: {counted(len(changes), 'change')}"
        yield folded(title, [content])
