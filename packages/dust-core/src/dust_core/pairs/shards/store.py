"""Members of any sample of a set, by number, without reading what lies before it."""

import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from dust_core.bounded import open_regular
from dust_core.errors import DustError
from dust_core.pairs.shards.index import Member, read_index, reading, verify_index
from dust_core.pairs.shards.manifest import Shard, read_manifest
from dust_core.pairs.shards.sample import Members
from dust_core.pairs.shards.tars import verify_shard
from dust_core.tracked import ANEW, remedy


class DamagedShard(DustError):
    """A shard has other bytes than the manifest names, so that no sample in it is to be trusted."""


@dataclass(frozen=True, slots=True)
class _Place:
    shard: int
    members: tuple[Member, ...]


class SampleStore:
    """Random access to a folder of shards through their indices.

    Files are opened once and read at offsets, which threads and forked processes may share. A shard
    is proven before its first sample is read, once in a process however many stores read it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._places: list[_Place] = []
        self._files: list[BinaryIO] = []
        self._proven: set[int] = set()
        for number, shard in enumerate(self.manifest.shards):
            self._files.append(_open(folder / shard.name))
            with reading(folder / shard.name):
                pass  # a tar without an end is better called truncated than its index wrong
            size = os.fstat(self._files[-1].fileno()).st_size
            samples = read_index(folder / shard.index, shard.pairs, size)
            self._places += [_Place(number, members) for members in samples]

    def __len__(self) -> int:
        return len(self._places)

    def where(self, number: int) -> str:
        """Shard and key of a sample, for messages."""
        shard = self.manifest.shards[self._places[number].shard]
        return f"{self.folder / shard.name}:{number:07d}"

    def read(self, number: int) -> Members:
        """The members of sample `number`.

        Raises:
            DamagedShard: the shard or its index is not that of the manifest.
            DustError: the shard ends before the sample does.
        """
        place = self._places[number]
        if place.shard not in self._proven:
            self._prove(place.shard)
        members: Members = {}
        for suffix, offset, size in place.members:
            content = os.pread(self._files[place.shard].fileno(), size, offset)
            if len(content) < size:
                raise DustError(
                    f"the tar ends inside {suffix}",
                    where=self.where(number),
                    fix=remedy(self.folder, ANEW),
                    exit_code=1,
                )
            members[suffix] = content
        return members

    def _prove(self, number: int) -> None:
        shard = self.manifest.shards[number]
        states = (os.fstat(self._files[number].fileno()), (self.folder / shard.index).stat())
        known = ((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in states)
        _prove(self.folder, shard, tuple(chain.from_iterable(known)))
        self._proven.add(number)

    def close(self) -> None:
        """Close the tars."""
        while self._files:
            self._files.pop().close()


@lru_cache(maxsize=65_536)
def _prove(folder: Path, shard: Shard, state: tuple[int, ...]) -> None:
    """Compare a shard and its index with the manifest, again only where a file has changed.

    Args:
        state: what tells that one of the two was changed: device, number, size, time of each.
    """
    try:
        verify_shard(folder, shard)
        verify_index(folder / shard.index, folder / shard.name)
    except DustError as error:
        raise DamagedShard(
            error.what, where=error.where, fix=error.fix, exit_code=error.exit_code
        ) from error


def _open(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as error:
        raise DustError(
            f"cannot open the shard: {error.strerror}",
            where=str(path),
            fix=remedy(path, ANEW),
        ) from error
