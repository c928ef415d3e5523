"""JSON read in bounded time and memory, with the line and column of any value in it.

The standard library parses. Places are looked up later, only for what is reported: the search goes
from the root to the value and skips everything else.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dust_core.declared.reading.place import Place

MAX_BYTES = 16_000_000
MAX_VALUES = 1_000_000
MAX_DIGITS = 40

Loc = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\[\]{}]+")
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|([\[{])|([\]}])', re.DOTALL)


class JsonFault(Exception):
    """The bytes are not a JSON document; `place` and `text` say where, `expected` what belongs
    there.

    `of_number` is true if the only fault is a number that is not finite or has too many digits.
    """

    def __init__(self, place: Place, text: str, expected: str, *, of_number: bool = False) -> None:
        super().__init__(f"{place}: {text}")
        self.of_number = of_number
        self.place = place
        self.text = text
        self.expected = expected


class NoJsonFile(JsonFault):
    """There is no such file, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """A JSON document: its text, its values, and their places."""

    path: str
    text: str
    data: Any

    def place(self, loc: Loc = (), *, of_key: bool = False) -> Place:
        """Where the value at `loc` begins, or its key; if it is absent, the last key on the way."""
        return _place(self.path, self.text, self._offset(loc, of_key))

    def _offset(self, loc: Loc, of_key: bool) -> int:
        key = value = _skip_space(self.text, 0)
        for part in loc:
            offsets = _member(self.text, value, part)
            if offsets is None:
                return key
            key, value = offsets
        return key if of_key else value


def read_json(file: Path, path: str) -> JsonText:
    """Read a JSON file; `path` is its name in messages.

    Raises:
        NoJsonFile: the file is absent, or cannot be read.
        JsonFault: it has more than 16 MB or a million values, or is not JSON with one meaning.
    """
    try:
        if not file.is_file():
            raise NoJsonFile(Place(path), "no such file", "a JSON file")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise NoJsonFile(Place(path), error.strerror or "unreadable", "a readable file") from error
    return parse_json(content, path)


def parse_json(content: bytes, path: str) -> JsonText:
    """Read JSON from bytes.

    Raises:
        JsonFault: see `read_json`. Duplicate keys, NaN, Infinity and numbers of more than 40 digits
            are refused too.
    """
    if len(content) > MAX_BYTES:
        raise JsonFault(Place(path), f"more than {MAX_BYTES:,} bytes", f"at most {MAX_BYTES:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(path, before.count(b"\n") + 1, len(before.rpartition(b"\n")[2]) + 1)
        raise JsonFault(place, f"byte 0x{content[error.start]:02x}", "UTF-8") from error
    if text.count(",") > MAX_VALUES:
        limit = f"{MAX_VALUES:,} values"
        raise JsonFault(Place(path), f"more than {limit}", f"at most {limit}")
    try:
        data = json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        place = Place(path, error.lineno, error.colno)
        rest = text[error.pos : error.pos + 40].partition("\n")[0]
        raise JsonFault(place, rest or "the end", f"JSON ({error.msg})") from error
    except RecursionError as error:
        raise JsonFault(Place(path), "too many levels of nesting", "a result file") from error
    except _RefusedError as refused:
        place = _place(path, text, _find_token(text, refused))
        raise JsonFault(
            place, refused.text, refused.expected, of_number=not refused.key_twice
        ) from refused
    return JsonText(path, text, data)


class _RefusedError(ValueError):
    def __init__(self, text: str, expected: str, *, key_twice: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.expected = expected
        self.key_twice = key_twice


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError(key, "each key once in an object", key_twice=True)
            seen.add(key)
    return members


def _constant(name: str) -> Any:
    raise _RefusedError(name, "a finite number, or null where nothing was measured")


def _float(text: str) -> float:
    number = float(text) if len(text) <= MAX_DIGITS else math.inf
    if not math.isfinite(number):
        raise _RefusedError(text, "a finite number of ordinary size")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _RefusedError(text, "a number of ordinary size")
    return int(text)


def _find_token(text: str, refused: _RefusedError) -> int:
    """The offset of the refused token: the second key of an object, or the first such number."""
    open_objects: list[set[str] | None] = []
    position = 0
    while position < len(text):
        position = _skip_space(text, position)
        letter = text[position : position + 1]
        if letter == '"':
            match = _STRING.match(text, position)
            end = match.end() if match else len(text)
            keys = open_objects[-1] if refused.key_twice and open_objects else None
            if keys is not None and text.startswith(":", _skip_space(text, end)):
                key = json.loads(text[position:end])
                if key in keys and key == refused.text:
                    return position
                keys.add(key)
            position = end
        elif letter in "[{":
            open_objects.append(set() if letter == "{" else None)
            position += 1
        elif letter in "]}":
            open_objects.pop()
            position += 1
        else:
            match = _SCALAR.match(text, position)
            if match and match[0] == refused.text and not refused.key_twice:
                return position
            position = match.end() if match else position + 1
    return 0


def _place(path: str, text: str, offset: int) -> Place:
    line = text.count("\n", 0, offset) + 1
    return Place(path, line, offset - text.rfind("\n", 0, offset))


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _member(text: str, start: int, part: str | int) -> tuple[int, int] | None:
    """Offsets of the key and the value of one member of the object or array at `start`."""
    opening = text[start : start + 1]
    if opening not in ("{", "["):
        return None
    position, index = _skip_space(text, start + 1), 0
    while text[position] not in "]}":
        key = position
        name: str | int = index
        if opening == "{":
            end = _end_of_value(text, position)
            name = json.loads(text[position:end])
            position = _skip_space(text, _skip_space(text, end) + 1)
        if name == part:
            return key, position
        position = _skip_space(text, _end_of_value(text, position))
        if text[position] == ",":
            position = _skip_space(text, position + 1)
        index += 1
    return None


def _end_of_value(text: str, start: int) -> int:
    if text[start] == '"':
        match = _STRING.match(text, start)
    elif text[start] in "{[":
        depth = 0
        for match in _BRACKET.finditer(text, start):
            depth += bool(match[1]) - bool(match[2])
            if depth == 0:
                break
    else:
        match = _SCALAR.match(text, start)
    return match.end() if match else len(text)
