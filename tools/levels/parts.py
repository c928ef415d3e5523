"""Finished samples of a level before they are in shards: a blob and its index.

A production may stop at any time: a part is whole if its index exists.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from dust_core.files import atomic_path, atomic_write_text
from dust_core.pairs.shards.sample import Members


def write_part(path: Path, samples: Iterable[Members]) -> None:
    """Write samples to `path` and, last, their index beside it."""
    index: list[dict[str, list[int]]] = []
    with atomic_path(path) as temporary, temporary.open("wb") as blob:
        for members in samples:
            places = {}
            for name, content in members.items():
                places[name] = [blob.tell(), len(content)]
                blob.write(content)
            index.append(places)
    atomic_write_text(_index(path), json.dumps(index))


def is_whole(path: Path) -> bool:
    """Whether the part at `path` was finished."""
    return _index(path).is_file()


class Part:
    """The samples of a finished part, read in any order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: list[dict[str, list[int]]] = json.loads(_index(path).read_text("utf-8"))

    def __len__(self) -> int:
        return len(self._places)

    def read(self, number: int) -> Members:
        """The members of sample `number`."""
        members = {}
        with self._path.open("rb") as blob:
            for name, (start, size) in self._places[number].items():
                blob.seek(start)
                members[name] = blob.read(size)
        return members


def _index(path: Path) -> Path:
    return path.with_suffix(".json")
