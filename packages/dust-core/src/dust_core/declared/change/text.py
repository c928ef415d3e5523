"""Values of a pull request as Markdown, escaped."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from dust_core.declared.change.values import ABSENT

MAX_SHOWN = 160


def code(value: Any) -> str:
    """A value as one code span: no Markdown, mention or HTML in it takes effect.

    Text is shown as it is, on one line, cut at 160 characters. Other values are shown as JSON.
    """
    if value is ABSENT:
        return "—"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as a spec's author writes it
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = " ".join(shown.split())
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[: MAX_SHOWN - 1]}…"
    # In a table a bar ends the cell even inside a code span, and a backtick ends the span.
    shown = shown.replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else "` `"


def codes(values: Iterable[Any]) -> str:
    """Values as code spans, separated by commas."""
    return ", ".join(code(value) for value in values)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def counted(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def hours(value: float) -> str:
    """GPU hours without needless zeros: `40`, `0.5`."""
    return f"{round(value, 3):g}"


def signed(value: float) -> str:
    """GPU hours with their sign: `+40`, `-0.5`, `±0`."""
    return f"{round(value, 3):+g}" if value else "±0"
