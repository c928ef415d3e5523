"""Files of strangers, read within bounds: regular files of at most so many bytes, JSON of one
meaning."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pydantic import ValidationError

MANIFEST_BYTES = 100_000
"""What the manifest of an engine may have."""

_ZIP_END_BYTES = 66_000  # with the longest comment, and what archives beyond 4 GB add
_ZIP_END, _ZIP_LARGE_END, _ZIP_LOCATOR = 22, 56, 20


def open_regular(path: Path) -> BinaryIO:
    """A regular file, open for reading; a pipe or a device would wait, or never end.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(handle, "rb")


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it has more than `limit` bytes.
    """
    with open_regular(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return content


def read_json_bounded(path: Path, limit: int) -> Any:
    """The value of a JSON file in UTF-8.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it has more than `limit` bytes, nests too deep, names a key twice, or is no
            JSON.
    """
    return parse_json_bounded(read_bounded(path, limit))


def zip_directory_bytes(path: Path) -> int:
    """The bytes of a zip archive's directory, as its end states them; 0 if it has no such end.

    A directory of millions of parts takes minutes to read.

    Raises:
        OSError: the file cannot be read.
    """
    with open_regular(path) as stream:
        stream.seek(max(0, path.stat().st_size - _ZIP_END_BYTES))
        tail = stream.read()
    # As zipfile looks for it: at the very end, or else the last before a comment.
    end = len(tail) - _ZIP_END
    if not (tail[max(0, end) :].startswith(b"PK\5\6") and tail.endswith(b"\0\0")):
        end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + _ZIP_END:
        return 0
    large = tail[max(0, end - _ZIP_LARGE_END - _ZIP_LOCATOR) : end]
    if large.startswith(b"PK\6\6") and large[_ZIP_LARGE_END:].startswith(b"PK\6\7"):
        return int.from_bytes(large[40:48], "little")
    return int.from_bytes(tail[end + 12 : end + 16], "little")


def parse_json_bounded(content: bytes) -> Any:
    """The value of JSON in UTF-8.

    Raises:
        ValueError: it nests too deep, names a key twice, holds half a character, or is no JSON.
    """
    text = content.decode("utf-8-sig")
    try:
        value = json.loads(text, object_pairs_hook=_members)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it nests too deep") from error
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"it names {name[:80]!r} twice in an object")
        members[name] = value
    return members


def tuples_of(values: dict[str, Any]) -> dict[str, Any]:
    """Fields as JSON gives them, its lists as tuples, which is what frozen models hold."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def fault_of_fields(error: "ValidationError") -> str:
    """The first of the values that a model of pydantic refuses, and why."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part)[:80] for part in fault["loc"])
    return f"{place}: {fault['msg'][:200]}" if place else fault["msg"][:200]
