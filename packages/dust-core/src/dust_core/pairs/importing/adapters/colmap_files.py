"""Reading COLMAP's files, text or binary, with one error for each way in which they are damaged."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dust_core.errors import DustError
from dust_core.pairs.importing.adapters.base import require_file
from dust_core.pairs.importing.adapters.files import text_encoding

_PARTS = ("cameras", "images")
_STATED = re.compile(r"#\s*Number of images:\s*([0-9]{1,9})")


def is_model(folder: Path) -> bool:
    """Whether a folder holds the cameras of a model."""
    return any((folder / f"cameras{suffix}").is_file() for suffix in (".bin", ".txt"))


def suffix_of(folder: Path) -> str:
    """`.bin` or `.txt`: in which form a folder holds a model, whole if it holds any whole."""
    for suffix in (".bin", ".txt"):
        if all((folder / f"{part}{suffix}").is_file() for part in _PARTS):
            return suffix
    return ".bin" if (folder / "cameras.bin").is_file() else ".txt"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A binary file of a model.

    Raises:
        DustError: it is missing, or ends too early for what is read in the block.
    """
    try:
        with require_file(path, "a part of the COLMAP model").open("rb") as stream:
            yield stream
    except (OSError, struct.error, ValueError, OverflowError) as error:
        raise damaged(str(path), f"it is truncated or no COLMAP file: {error}") from error


def unpack(stream: BinaryIO, layout: str) -> tuple[Any, ...]:
    """The next values of a binary file."""
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))


def lines_of(path: Path, stated: list[int] | None = None) -> Iterator[tuple[str, str]]:
    """Place and text of every line that is no comment, empty ones too.

    Args:
        stated: gets the number of images that a comment of COLMAP states.
    """
    try:
        require_file(path, "a part of the COLMAP model")
        with path.open(encoding=text_encoding(path)) as stream:
            for number, line in enumerate(stream, 1):
                if not line.lstrip().startswith("#"):
                    yield f"{path}:{number}", line.strip()
                elif stated is not None and (match := _STATED.match(line.strip())):
                    stated.append(int(match[1]))
    except (OSError, UnicodeError) as error:
        raise damaged(str(path), f"it cannot be read: {error}") from error


def whole(text: str, what: str, where: str) -> int:
    """A whole number of a text.

    Raises:
        DustError: it is none.
    """
    if not re.fullmatch("[0-9]{1,18}", text):
        raise damaged(where, f"{text} is no {what}")
    return int(text)


def damaged(where: str, what: str) -> DustError:
    """The error of a model that cannot be used as it is."""
    return DustError(what, where=where, fix="export the model again")
