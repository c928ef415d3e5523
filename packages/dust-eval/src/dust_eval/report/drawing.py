"""Drawing a chart as a self-contained SVG element that follows the page's colours."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID, ACCENT = "#1a1f24", "#7a838c", "#e4e7ea", "#1f5fa8"
PAPER, LOST, WON = "#fefefe", "#b3261e", "#2c6e3a"
LINES = (ACCENT, "#c2571a", "#3c7d45", "#7b4fa3", "#8a6d1d", "#4d6a7a", "#a33b53")
TEXT_COLUMN, HALF_COLUMN, PANEL = 7.6, 4.6, 3.4
"""Widths of a chart in inches: of the text column, and of one of two and of three in a row."""

_VARIABLES = {
    INK: "--ink",
    MUTED: "--quiet",
    GRID: "--grid",
    PAPER: "--paper",
    LOST: "--fail",
    WON: "--pass",
} | {colour: f"--line-{number}" for number, colour in enumerate(LINES, 1)}
"""A colour of the charts: the page's variable for it, which differs between light and dark."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it has the page's font and can be searched
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


def svg(
    name: str, width: float, height: float, draw: Callable[["Figure"], None], title: str
) -> str:
    """Draw on a figure of that size in inches and give it as an element of the page.

    Colours of this module become the page's variables.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Groups of different figures have the same ids, but an id must be unique on a page.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
