"""Values of a pull request as Markdown, escaped."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import category

from dust_core.declared.change.values import ABSENT

CONTEXT = 40
"""Characters of equal text that are shown on each side of a difference."""

PROSE = 600
"""Characters of a title or a hypothesis that are shown."""


def code(value: Any) -> str:
    """A value as one code span: no Markdown, mention or HTML in it takes effect.

    Text is shown in full, on one line. Other values are shown as JSON.
    """
    if value is ABSENT:
        return "—"
    return _span(_plain(value))


def bounded(text: str) -> str:
    """Prose of at most 600 characters, with a mark where more was cut off."""
    return text if len(text) <= PROSE else f"{text[: PROSE - 1].rstrip()}…"


def codes(values: Iterable[Any]) -> str:
    """Values as code spans, separated by commas."""
    return ", ".join(code(value) for value in values)


def was_and_is(old: Any, new: Any) -> tuple[str, str]:
    """Two values as cells that show every difference in full.

    Of two lists the members that only one side has are shown, of two texts what lies between their
    equal beginning and their equal end.
    """
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return _lists(old, new)
    if old is ABSENT or new is ABSENT:
        return code(old), code(new)
    before, after = _plain(old), _plain(new)
    start = _shared(before, after)
    shorter = min(len(before), len(after)) - start
    end = min(_shared(before[::-1], after[::-1]), shorter)
    return _window(before, start, end), _window(after, start, end)


def _lists(old: Sequence[Any], new: Sequence[Any]) -> tuple[str, str]:
    before, after = list(map(_plain, old)), list(map(_plain, new))
    removed = [member for member in before if member not in after]
    added = [member for member in after if member not in before]
    if not removed and not added:  # another order, or another number of equal members
        return code(list(old)), code(list(new))
    kept = len(before) - len(removed)
    also = f"; {counted(kept, 'other')} unchanged" if kept else ""
    gone = f"removed: {', '.join(map(_span, removed))}" if removed else "nothing removed"
    come = f"added: {', '.join(map(_span, added))}" if added else "nothing added"
    return f"{gone}{also}", f"{come}{also}"


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as a spec's author writes it
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = " ".join(shown.split())
    # Characters without a form, such as those that turn the direction of text, would hide it.
    return "".join(f"\\u{ord(c):04x}" if category(c) in ("Cc", "Cf") else c for c in shown)


def _span(text: str) -> str:
    # In a table a bar ends the cell even inside a code span, and a backtick ends the span.
    shown = text.replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else "` `"


def _window(text: str, start: int, end: int) -> str:
    """The text without what is equal on both sides, but for some context."""
    first = start - CONTEXT if start > 2 * CONTEXT else 0
    last = len(text) - end + CONTEXT if end > 2 * CONTEXT else len(text)
    return _span(f"{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}")


def _shared(left: str, right: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = zip(left, right, strict=False)
    different = (index for index, (ours, theirs) in enumerate(pairs) if ours != theirs)
    return next(different, min(len(left), len(right)))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def folded(title: str, parts: Iterable[str], *, is_open: bool = False) -> str:
    """Paragraphs that a reader unfolds; the title is HTML."""
    content = "\n\n".join(parts)
    tag = "<details open>" if is_open else "<details>"
    return f"{tag}<summary>{title}</summary>\n\n{content}\n\n</details>"


def counted(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def hours(value: float) -> str:
    """GPU hours without needless zeros: `40`, `0.5`."""
    return f"{round(value, 3):g}"


def counted_hours(value: float) -> str:
    """`1 GPU hour`, `0.5 GPU hours`."""
    return f"{hours(value)} GPU hour{'' if round(value, 3) == 1 else 's'}"


def signed(value: float) -> str:
    """GPU hours with their sign: `+40`, `-0.5`, `±0`."""
    return f"{round(value, 3):+g}" if value else "±0"
