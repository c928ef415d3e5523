"""Names in the order in which people count: frame2 comes before frame10."""

import re
from pathlib import PurePath

_DIGITS = re.compile("([0-9]+)")

_Part = tuple[tuple[int, str] | str, ...]
NaturalKey = tuple[tuple[_Part, ...], str]


def natural_key(name: str | PurePath) -> NaturalKey:
    """A key for `sorted` by the numbers in names, and by text between the numbers.

    A folder's files stand together. Names that differ in case or in leading zeros alone are in the
    order of their text, so that no two different names are equal.
    """
    text = name.as_posix() if isinstance(name, PurePath) else name
    return tuple(map(_part, text.split("/"))), text


def _part(text: str) -> _Part:
    """Text and numbers in turn. Numbers are compared by length and then as text, which is by value
    for any length."""
    parts = _DIGITS.split(text.casefold())
    numbers = (part.lstrip("0") for part in parts[1::2])
    key: list[tuple[int, str] | str] = [parts[0]]
    for number, rest in zip(numbers, parts[2::2], strict=True):
        key += [(len(number), number), rest]
    return tuple(key)
