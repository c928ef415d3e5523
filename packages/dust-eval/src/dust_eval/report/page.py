"""The page: content, illustrations and charts in one HTML file that works offline."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files

from dust_core.declared.records import Interval, Verdict
from dust_core.declared.specs.names import STAGES
from dust_eval.gates.claims import claim_text
from dust_eval.gates.judge import quantity_text
from dust_eval.gates.render import interval_text
from dust_eval.report import charts
from dust_eval.report.ablation_chart import ablation
from dust_eval.report.content import Content
from dust_eval.report.eight_bits import by_layer, by_pair
from dust_eval.report.front import latency_front, networks_of, size_front
from dust_eval.report.illustrations import NOT_ASKED, Illustrations, without
from dust_eval.report.live import RUNNING
from dust_eval.report.pruning import pruning
from dust_eval.report.records_table import RecordRow
from dust_eval.report.runs import RunComparison
from dust_eval.report.series import Curve

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

TIMES = ("t_pair_p50_ms", "t_pair_p95_ms", "pairs_per_sec", "t_scene_s")
"""Columns that depend on the process and its device."""

MARKS = {
    "pass": "✓",
    "fail": "✗",
    "inconclusive": "?",
    "settled": "–",
    "not run": "○",
    "dvc pull": "↓",
}
"""The sign of a status, so that colour is not all that tells it."""

LINES_SAID = {
    "pass": "its lines pass",
    "fail": "a line fails",
    "inconclusive": "a line is inconclusive",
}
"""What a status says where a hypothesis is beside it: it is of the task's lines alone."""

_OPERATORS = {"<=": "≤", ">=": "≥", "==": "="}
_WIDTH = 120.0  # size of the small chart beside a verdict, in pixels
_DASH = "–"


def render(
    content: Content,
    illustrations: Illustrations | None = None,
    *,
    compared: RunComparison | None = None,
    running: tuple[Curve, ...] = (),
    stamp: str = "",
) -> str:
    """The page as HTML; the same content always gives the same text.

    Args:
        illustrations: pictures and a scene; None leaves them out.
        compared: another run or device beside this one.
        running: trainings that have not ended.
        stamp: what a server says of the files that the page is made from. The page then asks the
            server for it, and loads anew when it differs. Empty: the page asks for nothing.

    Raises:
        ModuleNotFoundError: jinja2 or matplotlib is not installed.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"quantity": quantity, "interval": interval, "figure": figure}
    environment.filters["claim"] = lambda outcome: _typeset(claim_text(outcome))
    environment.filters |= {"op": _OPERATORS.get, "typeset": _typeset}
    environment.globals |= {"cell": cell, "strip": strip, "columns": COLUMNS, "dash": _DASH}
    environment.globals["times"] = TIMES
    environment.globals |= {"marks": MARKS, "said": defaultdict(str, LINES_SAID)}
    shown = illustrations or without(NOT_ASKED)
    script = _file("page.js")
    return environment.get_template("page.html").render(
        content=content,
        shown=shown,
        compared=compared,
        stamp=stamp,
        policy=_policy(script, shown.scene, is_served=bool(stamp)),
        style=Markup(_file("page.css")),
        script=Markup(script),
        charts={name: Markup(svg) for name, svg in _charts(content, running)},
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


def _typeset(text: str) -> str:
    """A value and its line as they are printed in a terminal, with their proper signs."""
    for typed, sign in _OPERATORS.items():
        text = text.replace(typed, sign)
    return _minus(text)


def _file(name: str) -> str:
    return files("dust_eval.report").joinpath(name).read_text(encoding="utf-8")


def _policy(script: str, scene: str, *, is_served: bool) -> str:
    """The content security policy: nothing is loaded, and only the scripts of this page run."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = [f"'sha256-{digest}'"]
    if scene:
        from dust_eval.report.scene_frame import script_sum

        scripts.append(f"'{script_sum(scene)}'")  # a frame obeys the policy of its page, too
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    connect = "; connect-src 'self'" if is_served else ""
    return f"{policy}script-src {' '.join(scripts)}{connect}"


def _charts(content: Content, running: tuple[Curve, ...]) -> Iterator[tuple[str, str]]:
    networks = networks_of(content.comparisons, content.variants)
    if any(network.latency is not None for network in networks):
        yield "front latency", latency_front(networks)
    if any(network.size_MB is not None for network in networks):
        yield "front size", size_front(networks)
    if content.eight_bits:
        yield "by pair", by_pair(content.eight_bits)
    for layers in content.layers:
        yield f"layers {layers.task}", by_layer(layers)
    yield from ((f"latency {timed.task}", charts.latency(timed)) for timed in content.turns)
    paired = [comparison for comparison in content.comparisons if comparison.pairs]
    if paired:
        yield "pairs", charts.per_pair(paired)
    yield from ((view.task, pruning(view)) for view in content.prunings)
    yield from ((view.task, ablation(view)) for view in content.ablations)
    for phase in (*STAGES.values(), RUNNING):
        trained = [curve for curve in (*content.curves, *running) if curve.phase == phase]
        if trained:
            yield f"curves {phase}", charts.curves(trained, phase)
