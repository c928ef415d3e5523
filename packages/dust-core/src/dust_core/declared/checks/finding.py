"""What a rule reports, and how texts in it are shortened and spelt right."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

Severity = Literal["error", "warning"]

MAX_FOUND = 80


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column start at 1, as editors count."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake in one place.

    Attributes:
        place: where it is.
        rule: id of the rule that found it, e.g. `SPEC003`.
        title: the rule's one line.
        found: the offending text.
        expected: what would be right there.
        fix: what to do about it.
        did_you_mean: the nearest right spelling; empty where nothing is near.
        severity: a warning does not fail a run.
    """

    place: Place
    rule: str
    title: str
    found: str
    expected: str
    fix: str
    did_you_mean: str = ""
    severity: Severity = "error"


def nearest(text: str, choices: Iterable[str]) -> str:
    """The choice that `text` most likely misspells; empty where none is near."""
    lowered = {choice.lower(): choice for choice in choices}
    close = get_close_matches(text.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else ""


def quote(value: Any) -> str:
    """A value as one line of at most 80 characters: text as it is, the rest as JSON has it."""
    if isinstance(value, str):
        text = value
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(quote(item) for item in value[:MAX_FOUND])}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(quote(key) for key in list(value)[:MAX_FOUND])}}}"
    else:
        text = str(value)
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return line if len(line) <= MAX_FOUND else f"{line[: MAX_FOUND - 3]}..."


def one_of(choices: Iterable[str]) -> str:
    """`a, b or c` of a few choices; of many, the first twelve."""
    names = list(dict.fromkeys(choices))
    if len(names) > 12:
        return f"one of {', '.join(names[:12])}, ... ({len(names)} in all)"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"
