"""Verdicts for people (a table) and for programs (JSON)."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dust_core.declared.records import Effect, Interval, Status, Verdict
from dust_eval.gates.judge import is_absent, quantity_text
from dust_eval.gates.stage import TaskVerdicts

if TYPE_CHECKING:
    from rich.table import Table

_STYLES: dict[Status, str] = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class StageReport:
    """The verdicts of a stage under a profile.

    `quotable` says whether they may be quoted, `waivers` which waivers apply to their lines,
    `hypotheses` what came of the hypotheses that make claims, `advice` what to try.
    """

    stage: str
    profile: str
    quotable: bool
    tasks: tuple[TaskVerdicts, ...]
    waivers: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every task passes or is settled; False for a stage without tasks."""
        return bool(self.tasks) and all(task.passed for task in self.tasks)


def report_json(report: StageReport) -> dict[str, Any]:
    """The report as JSON values; each figure has its unit beside it."""
    return {
        "apiVersion": "dust/v1",
        "kind": "GateReport",
        "stage": report.stage,
        "profile": report.profile,
        "quotable": report.quotable,
        "passed": report.passed,
        "waivers": list(report.waivers),
        "hypotheses": list(report.hypotheses),
        "advice": list(report.advice),
        "tasks": [
            {
                "task": task.task,
                "status": task.status,
                "settled": task.settled,
                "verdicts": [verdict.model_dump(mode="json") for verdict in task.verdicts],
            }
            for task in report.tasks
        ],
    }


def report_table(report: StageReport) -> "Table":
    """The report as a table: a row for each verdict, then the metrics that no line binds."""
    from rich.table import Table
    from rich.text import Text

    note = "" if report.quotable else " (not to be quoted)"
    table = Table(title=f"{report.stage}, profile {report.profile}{note}", title_justify="left")
    for heading in ("task", "experiment", "line"):
        table.add_column(heading, overflow="fold")
    for heading in ("value", "margin", "interval (level)"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for task in report.tasks:
        for verdict in task.verdicts:
            style = "dim" if task.settled else _STYLES[verdict.status]
            table.add_row(*_cells(verdict), Text(_word(verdict), style=style))
            for effect in verdict.beside:
                table.add_row("", "", *_cells_beside(effect, verdict.unit), style="dim")
        if not task.verdicts:
            table.add_row(task.task, *[_NOTHING] * 5, Text(_NOTHING, style="dim"))
        table.add_section()
    return table


def explanations(tasks: Sequence[TaskVerdicts]) -> Iterator[str]:
    """Line by line: why a verdict is not a pass or does not count, and its interval's meaning."""
    for task in tasks:
        for verdict in itertools.filterfalse(is_absent, task.verdicts):
            who = f"{verdict.task} {verdict.exp_id or ''}".rstrip()
            if verdict.reason is not None:
                yield f"{who}, {verdict.gate}: {verdict.status}: {verdict.reason}"
            if verdict.other_pictures is not None:
                yield f"{who}, {verdict.gate}: {verdict.other_pictures}"
        if task.settled is not None:
            yield f"{task.task}: {task.settled}"
    if absent := [task.task for task in tasks if any(map(is_absent, task.verdicts))]:
        yield f"{', '.join(absent)}: no result here, which counts as a fail"


def interval_text(interval: Interval | None) -> str:
    """`[low, high] (level)`; intervals of one table differ in level. A dash for none."""
    if interval is None:
        return _NOTHING
    return f"[{interval.low:.3g}, {interval.high:.3g}] ({100 * interval.confidence:.3g} %)"


def _word(verdict: Verdict) -> str:
    return "no result" if is_absent(verdict) else verdict.status


def _cells(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.task,
        verdict.exp_id or _NOTHING,
        f"{verdict.gate}: {verdict.metric} {verdict.op} {_quantity(verdict.line, verdict.unit)}",
        _quantity(verdict.value, verdict.unit),
        _quantity(verdict.margin, verdict.unit, "+.3g"),
        interval_text(verdict.interval),
    )


def _cells_beside(effect: Effect, unit: str) -> tuple[str, ...]:
    return (
        f"  {effect.metric} {_against(effect)}{effect.baseline:.4g} -> {effect.candidate:.4g}",
        _quantity(effect.change, unit),
        "",
        interval_text(effect.interval),
    )


def _against(effect: Effect) -> str:
    return f"{effect.against} " if effect.against else ""


def _quantity(value: float | None, unit: str, form: str = ".3g") -> str:
    return _NOTHING if value is None else quantity_text(value, unit, form)
