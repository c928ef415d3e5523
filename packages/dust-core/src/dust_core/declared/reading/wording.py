"""How messages quote a value, name a location and list choices."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from dust_core.visible import in_one_line

MAX_QUOTED = 80


def nearest(text: str, choices: Iterable[str]) -> str:
    """The choice that `text` most likely misspells; empty where none is near."""
    lowered = {choice.lower(): choice for choice in choices}
    close = get_close_matches(text.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else ""


def quote(value: Any) -> str:
    """A value as one line of at most 80 characters: text as it is, other values as JSON."""
    if isinstance(value, str):
        text = value
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(quote(item) for item in value[:MAX_QUOTED])}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(quote(key) for key in list(value)[:MAX_QUOTED])}}}"
    else:
        text = str(value)
    line = in_one_line(text)
    return line if len(line) <= MAX_QUOTED else f"{line[: MAX_QUOTED - 3]}..."


def one_of(choices: Iterable[str]) -> str:
    """`a, b or c` for a few choices; for many, the first twelve."""
    names = list(dict.fromkeys(choices))
    if len(names) > 12:
        return f"one of {', '.join(names[:12])}, ... ({len(names)} in all)"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"


def path_text(loc: Sequence[str | int]) -> str:
    """`results[0].record.rmse` for `("results", 0, "record", "rmse")`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")
