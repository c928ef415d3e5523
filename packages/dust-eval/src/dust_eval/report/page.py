"""The page: content and charts in one HTML file that works offline."""

from importlib.resources import files

from dust_core.declared.records import Interval, Verdict
from dust_core.declared.specs.names import STAGES
from dust_eval.gates.claims import claim_text
from dust_eval.gates.judge import quantity_text
from dust_eval.gates.render import interval_text
from dust_eval.report import charts
from dust_eval.report.ablation_chart import ablation
from dust_eval.report.comparison import METRIC
from dust_eval.report.content import Content, RecordRow
from dust_eval.report.pruning import pruning

COLUMNS = (
    ("params_M", "parameters", "M"),
    ("flops_G", "operations", "GFLOP"),
    ("size_MB", "size", "MB"),
    ("delta1", "delta1", "1"),
    ("absrel", "absrel", "1"),
    ("rmse", "rmse", "m"),
    ("chamfer", "chamfer", "m"),
    ("t_pair_p50_ms", "p50", "ms"),
    ("t_pair_p95_ms", "p95", "ms"),
    ("pairs_per_sec", "pairs", "1/s"),
    ("t_scene_s", "scene", "s"),
    ("vram_GB", "memory", "GB"),
)
"""Field, heading and unit of the columns of the table of records."""

_WIDTH = 120.0  # size of the small chart beside a verdict, in pixels
_DASH = "–"


def render(content: Content) -> str:
    """The page as HTML; the same content always gives the same text.

    Raises:
        ModuleNotFoundError: jinja2 or matplotlib is not installed.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = files("dust_eval.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"quantity": quantity, "interval": interval, "figure": figure}
    environment.filters["claim"] = lambda outcome: _minus(claim_text(outcome))
    environment.globals |= {"cell": cell, "strip": strip, "columns": COLUMNS, "dash": _DASH}
    template = environment.from_string(folder.joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        content=content,
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        charts={name: Markup(svg) for name, svg in _charts(content).items()},
    )


def quantity(value: float | None, unit: str, form: str = ".3g") -> str:
    """A number with its unit, its minus sign typeset; a dash where there is none."""
    return _DASH if value is None else _minus(quantity_text(value, unit, form))


def interval(drawn: Interval | None) -> str:
    """`[low, high] (level)`, or a dash."""
    return _DASH if drawn is None else _minus(interval_text(drawn))


def figure(value: float | None, form: str = ".3g") -> str:
    """A number in three digits, or in full from 1000 on; a dash where there is none."""
    if value is None:
        return _DASH
    return _minus(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:{form}}")


def cell(row: RecordRow, field: str) -> str:
    """A field of a record for its table; quality has more digits, because drops need them."""
    quality = field in ("delta1", "absrel", "rmse", "chamfer")
    return figure(getattr(row.record, field), ".4g" if quality else ".3g")


def strip(verdict: Verdict) -> dict[str, float] | None:
    """Positions of line, value and interval along a strip, in pixels; None if not relative.

    The strip begins at 0 or at the least of the values, whichever is less.
    """
    if verdict.unit != "%" or verdict.value is None:
        return None
    drawn = verdict.interval
    ends = [verdict.value] * 2 if drawn is None else [drawn.low, drawn.high]
    low, high = (choose(0.0, verdict.line, verdict.value, *ends) for choose in (min, max))
    step = (_WIDTH - 12) / (high - low or 1)

    def place(value: float) -> float:
        return round(6 + step * (value - low), 1)

    return {
        "zero": place(0.0),
        "line": place(verdict.line),
        "value": place(verdict.value),
        "low": place(ends[0]),
        "high": place(ends[1]),
    }


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _charts(content: Content) -> dict[str, str]:
    drawn: dict[str, str] = {}
    timed = charts.with_both(content.comparisons)
    if timed:
        drawn["tradeoff"] = charts.tradeoff(timed, *_lines(content))
    if content.turns:
        drawn["latency"] = charts.latency(content.turns)
    paired = [comparison for comparison in content.comparisons if comparison.pairs]
    if paired:
        drawn["pairs"] = charts.per_pair(paired)
    drawn |= {view.task: pruning(view) for view in content.prunings}
    drawn |= {view.task: ablation(view) for view in content.ablations}
    for phase in STAGES.values():
        trained = [curve for curve in content.curves if curve.phase == phase]
        if trained:
            drawn[f"curves {phase}"] = charts.curves(trained, phase)
    return drawn


def _lines(content: Content) -> tuple[float | None, float | None]:
    """The strictest line on latency saved and on delta1 dropped among the verdicts."""
    verdicts = [verdict for task in content.views for verdict in task.judged.verdicts]
    saved = [verdict.line for verdict in verdicts if verdict.metric == "t_pair_p50_down"]
    drop = [verdict.line for verdict in verdicts if verdict.metric == f"{METRIC}_drop"]
    return max(saved, default=None), min(drop, default=None)
