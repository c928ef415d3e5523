"""Frames of CO3D's annotations, a compressed JSON list, without holding all of them."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from dust_core.pairs.importing.adapters.conventions import DAMAGED_TEXT, not_readable

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_LONGEST_FRAME = 1 << 22
_BETWEEN = re.compile(r"[\s,]*")


def entries_of(path: Path) -> Iterator[Any]:
    """The objects of a JSON list, compressed or not, one at a time: a category's take gigabytes.

    Raises:
        DustError: it is damaged, or no list of objects.
    """
    try:
        with path.open("rb") as start:
            packed = start.read(len(_GZIP)) == _GZIP
        with (gzip.open if packed else open)(path, "rt", encoding="utf-8") as stream:
            if stream.read(1) != "[":
                raise ValueError("it is no list of frames")
            objects = _objects(stream)
            first = next(objects, None)
            if first is None:
                raise ValueError("it lists no frame")
            yield first
            yield from objects
    except DAMAGED_TEXT as error:
        raise not_readable(path, "the annotations", error) from error


def _objects(stream: TextIO) -> Iterator[Any]:
    decoder, text, more = json.JSONDecoder(), "", True
    while more:
        chunk = stream.read(_CHUNK) if len(text) < _LONGEST_FRAME else ""
        more, text = bool(chunk), text + chunk
        position = _next(text, 0)
        while text.startswith("{", position):
            try:
                entry, end = decoder.raw_decode(text, position)
            except ValueError:
                break  # the chunk ends inside an object
            yield entry
            position = _next(text, end)
        text = text[position:]
    if text.strip() != "]":
        raise ValueError("it is cut off, or a frame is no object")


def _next(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position
