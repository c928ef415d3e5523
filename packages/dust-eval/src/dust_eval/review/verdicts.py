"""The verdicts of two revisions side by side."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dust_core.declared.change.text import code, counted, folded, table
from dust_core.declared.records import Provenance, Status, Verdict
from dust_eval.gates.judge import quantity_text
from dust_eval.review.judged import Judged, TaskResult

NO_LINE = ""

LISTED = 6
"""How many reasons a list shows without being unfolded."""


@dataclass(frozen=True)
class Row:
    """A line of a task whose verdict or result differs.

    Attributes:
        line: its name; `NO_LINE` where the task has none and its result differs.
        was, is_: the verdict at the base and at the head; None where there is none.
        before, after: the task at the base and at the head; None where there is none.
    """

    profile: str
    task: str
    line: str
    was: Verdict | None
    is_: Verdict | None
    before: TaskResult | None
    after: TaskResult | None


@dataclass(frozen=True)
class Comparison:
    """What became of the verdicts.

    Attributes:
        rows: the lines whose verdict or result differs.
        same: the statuses of the other verdicts, counted.
        faults: why the head's results may not be believed.
        base_faults: why those of the base may not be, or cannot be compared with.
        outdated: by task, those faults of the head that the base does not have of the same result:
            a change of the specs makes them.
    """

    base: str
    head: str
    rows: tuple[Row, ...]
    same: Mapping[Status, int]
    faults: tuple[str, ...]
    base_faults: tuple[str, ...]
    outdated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the head may not be merged: a result of it is invalid, or cannot be had."""
        return bool(self.faults)


def compare(base: Judged, head: Judged) -> Comparison:
    """Compare the verdicts of two revisions, line by line."""
    rows = tuple(_rows(base, head))
    changed = {(row.profile, row.task, row.line) for row in rows}
    same = Counter(
        verdict.status
        for profile, tasks in head.profiles.items()
        for task, result in tasks.items()
        for line, verdict in result.verdicts.items()
        if (profile, task, line) not in changed and result.file is not None
    )
    return Comparison(
        base.name, head.name, rows, same, _faults(head), _faults(base), _outdated(base, head)
    )


def _outdated(base: Judged, head: Judged) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for profile, tasks in head.profiles.items():
        for task, after in tasks.items():
            before = base.profiles.get(profile, {}).get(task)
            if before is not None and before.md5 == after.md5:
                new = tuple(fault for fault in after.faults if fault not in before.faults)
                found[task] = (*found.get(task, ()), *new)
    return {task: faults for task, faults in found.items() if faults}


def _faults(side: Judged) -> tuple[str, ...]:
    results = (result for tasks in side.profiles.values() for result in tasks.values())
    return (*side.faults, *(fault for result in results for fault in result.faults))


def _rows(base: Judged, head: Judged) -> Iterator[Row]:
    for profile in dict.fromkeys((*base.profiles, *head.profiles)):
        before, after = base.profiles.get(profile, {}), head.profiles.get(profile, {})
        for task in dict.fromkeys((*after, *before)):
            yield from _rows_of(profile, task, before.get(task), after.get(task))


def _rows_of(
    profile: str, task: str, before: TaskResult | None, after: TaskResult | None
) -> Iterator[Row]:
    was = before.verdicts if before else {}
    is_ = after.verdicts if after else {}
    lines = list(dict.fromkeys((*is_, *was)))
    old, new = before.md5 if before else "", after.md5 if after else ""
    for line in lines:
        pair = was.get(line), is_.get(line)
        if old != new or (old and _outcome(pair[0]) != _outcome(pair[1])):
            yield Row(profile, task, line, *pair, before, after)
    if not lines and old != new:
        yield Row(profile, task, NO_LINE, None, None, before, after)


def _outcome(verdict: Verdict | None) -> tuple[Any, ...] | None:
    if verdict is None:
        return None
    return verdict.status, verdict.value, verdict.op, verdict.line, verdict.unit


def render(
    comparison: Comparison, again: Collection[str] = (), faults: Sequence[str] | None = None
) -> str:
    """The comparison as a section of the review, in Markdown.

    Args:
        again: the tasks that have to run again because of the change: it makes results outdated.
        faults: those of the head that the section lists; by default all of them.
    """
    listed = comparison.faults if faults is None else faults
    return "\n\n".join(_paragraphs(comparison, again, listed)) + "\n"


def doubts(comparison: Comparison, again: Collection[str]) -> tuple[str, ...]:
    """The faults of the head, without those of results that have to be measured again anyway."""
    outdated = {
        fault for task, faults in comparison.outdated.items() if task in again for fault in faults
    }
    return tuple(fault for fault in comparison.faults if fault not in outdated)


def _paragraphs(
    comparison: Comparison, again: Collection[str], doubted: Sequence[str]
) -> Iterator[str]:
    yield "### Verdicts"
    for title, faults in (
        (f"**Not to be believed, in {code(comparison.head)}:**", doubted),
        (f"In the base, {code(comparison.base)}:", comparison.base_faults),
    ):
        if faults:
            yield title
            listed = "\n".join(f"- {code(fault)}" for fault in faults)
            is_long = len(faults) > LISTED
            yield folded(counted(len(faults), "reason"), [listed]) if is_long else listed
    if comparison.rows:
        header = ("profile", "task", "line", "was", "is", "device", "commit")
        yield table(header, (_cells(row, again) for row in comparison.rows))
    yield _unchanged(comparison)


def _cells(row: Row, again: Collection[str]) -> tuple[str, ...]:
    about = [_provenance(side) for side in (row.before, row.after)]
    devices = dict.fromkeys(
        f"{about.device.name} {about.device.fingerprint[:8]}" for about in about if about
    )
    commits = dict.fromkeys(about.commit[:10] for about in about if about)
    return (
        code(row.profile),
        code(row.task),
        code(row.line) if row.line else "no line",
        _said(row.was, row.before, row.line),
        "to run again" if _is_outdated(row, again) else _said(row.is_, row.after, row.line),
        " → ".join(map(code, devices)) or "—",
        " → ".join(map(code, commits)) or "—",
    )


def _is_outdated(row: Row, again: Collection[str]) -> bool:
    """Whether the base's result is still there, and was measured under other terms."""
    same = row.before is not None and row.after is not None and row.before.md5 == row.after.md5
    return same and row.task in again


def _said(verdict: Verdict | None, side: TaskResult | None, line: str) -> str:
    if side is None:
        return "no such task"
    if side.md5 and side.file is None:
        return "**cannot be read**"
    if side.file is None:
        return "not executed"
    if not line:
        return f"result {code(side.md5[:8])}"
    if verdict is None:
        return "no such line"
    value = "no value" if verdict.value is None else quantity_text(verdict.value, verdict.unit)
    asked = f"{verdict.op} {quantity_text(verdict.line, verdict.unit)}"
    settled = f"; does not count: {code(side.settled)}" if side.settled else ""
    doubted = ", **not to be believed**" if side.faults else ""
    return f"**{verdict.status}**{doubted}, {code(f'{value} ({asked})')}{settled}"


def _provenance(side: TaskResult | None) -> Provenance | None:
    return side.file.results[0].provenance if side is not None and side.file else None


def _unchanged(comparison: Comparison) -> str:
    if not comparison.same:
        return "There is no other verdict on a result."
    statuses = ", ".join(f"{count} {status}" for status, count in comparison.same.items())
    others = "The others" if comparison.rows else "The verdicts"
    total = counted(sum(comparison.same.values()), "verdict")
    return f"{others} did not change: {total} ({statuses})."


def as_values(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON values."""
    return {
        "apiVersion": "dust/v1",
        "kind": "Verdicts",
        "base": comparison.base,
        "head": comparison.head,
        "refused": comparison.refused,
        "faults": list(comparison.faults),
        "base_faults": list(comparison.base_faults),
        "unchanged": dict(comparison.same),
        "rows": [
            {
                "profile": row.profile,
                "task": row.task,
                "line": row.line or None,
                "was": row.was.model_dump(mode="json") if row.was else None,
                "is": row.is_.model_dump(mode="json") if row.is_ else None,
                "settled": row.after.settled if row.after else None,
                "device": about.device.model_dump(mode="json") if about else None,
                "commit": about.commit if about else None,
            }
            for row in comparison.rows
            for about in [_provenance(row.after)]
        ],
    }
