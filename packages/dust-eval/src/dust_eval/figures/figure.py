"""A figure as a text quotes it: a number, how many digits it has, and its unit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dust_core.errors import DustError

OUTPUTS = Path("benchmarks", "results")
"""What benchmarks printed, each with the command in its first line."""

UNITS: dict[str, tuple[str, float]] = {
    "ms": ("time", 1e-3),
    "s": ("time", 1.0),
    "second": ("time", 1.0),
    "seconds": ("time", 1.0),
    "min": ("time", 60.0),
    "minutes": ("time", 60.0),
    "h": ("time", 3600.0),
    "hours": ("time", 3600.0),
    "kB": ("size", 1e-3),
    "MB": ("size", 1.0),
    "GB": ("size", 1e3),
    "M": ("count", 1e6),
    "m": ("length", 1.0),
    "GFLOP": ("work", 1.0),
    "pairs/s": ("rate", 1.0),
    "%": ("share", 0.01),
    "fraction": ("share", 1.0),
    "times": ("ratio", 1.0),
    "pairs": ("pairs", 1.0),
    "epochs": ("epochs", 1.0),
    "images": ("images", 1.0),
    "pixels": ("pixels", 1.0),
    "days": ("days", 1.0),
}
"""What a unit measures, and how much of it is one."""

_NUMBER = r"(?<![\w.,/^-])(?P<sign>[-+]?)(?P<digits>\d{1,3}(?:,\d{3})+|\d+)(?P<tail>\.\d+)?"
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_FIGURE = re.compile(rf"{_NUMBER}\s?(?P<unit>{_UNIT})(?![\w/])")
_ALONE = re.compile(rf"\s*{_NUMBER}\s*(?P<unit>{_UNIT})?\s*")
_CODE = re.compile(
    r"^(```|~~~).*?^\1[^\n]*$"  # a block between fences
    r"|(?:(?<=\n\n)|\A)(?: {4}[^\n]*(?:\n|\Z)|\n(?= {4}))+"  # a block by its indent
    r"|(?<!`)`[^`\n]+`(?!`)",  # in a line
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A quoted figure.

    Attributes:
        text: as it is written.
        value: the number, without its sign: texts say "3 % above" of a drop of -3 %.
        step: what one in its last digit is.
        unit: a key of `UNITS`, or "" for none.
        line: of the text, from 1.
    """

    text: str
    value: float
    step: float
    unit: str
    line: int = 1

    def is_rounded(self, value: float, unit: str) -> bool:
        """Whether a value in `unit` is this figure, rounded to the digits that it shows."""
        distance = self.distance(value, unit)
        return distance is not None and distance <= 0.5 * self.step * (1 + 1e-9)

    def distance(self, value: float, unit: str) -> float | None:
        """How far a value in `unit` is from it, in its own unit; None for another quantity."""
        if unit == self.unit or (unit == "fraction" and not self.unit):
            scale = 1.0
        elif not unit or not self.unit or UNITS[self.unit][0] != UNITS[unit][0]:
            return None
        else:
            scale = UNITS[self.unit][1] / UNITS[unit][1]
        return abs(abs(value) / scale - self.value)


def parse_figure(text: str) -> Figure:
    """A figure that somebody asks about: `16.4 ms`, `56.6 %`, `0.648`.

    Raises:
        DustError: it is no number with a unit that is known.
    """
    found = _ALONE.fullmatch(text)
    if found is None:
        raise DustError(
            f"{text!r} is no figure",
            fix=f"give a number and its unit, if it has one: {', '.join(UNITS)}",
        )
    return _figure(found, text.strip(), 1)


def figures_in(markdown: str) -> Iterator[Figure]:
    """The figures with a unit in a document, outside code and targets of links."""
    prose = _CODE.sub(lambda block: "\n" * block.group().count("\n"), markdown)
    yield from figures_of(_LINK.sub("]", prose))


def figures_of(text: str) -> Iterator[Figure]:
    """The figures with a unit in a text that is no document, such as what a program printed."""
    for found in _FIGURE.finditer(text):
        yield _figure(found, found.group().lstrip(), text.count("\n", 0, found.start()) + 1)


def _figure(found: re.Match[str], text: str, line: int) -> Figure:
    tail = found["tail"] or ""
    value = float(found["digits"].replace(",", "") + tail)
    return Figure(text, value, 10.0 ** -max(0, len(tail) - 1), found["unit"] or "", line)
