"""The index beside a tar: where each member of each sample begins, so that any can be read alone.

The format is v1.2 of DALI's webdataset reader: a line with the number of samples, then one line a
sample with suffix, offset, size and name of every member. Source:
https://docs.nvidia.com/deeplearning/dali/user-guide/docs/operations/nvidia.dali.fn.readers.webdataset.html
"""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from dust_core.errors import DustError
from dust_core.tracked import ANEW, remedy

_PARTS = 4

Member = tuple[str, int, int]
"""Suffix, offset and size, in bytes of the tar."""


def make_index(tar: Path) -> str:
    """The text of the index of a tar, from the headers in it.

    Raises:
        DustError: the tar is truncated or is none.
    """
    with reading(tar), tarfile.open(tar, "r:") as archive:
        entries = [entry for entry in archive if entry.isfile()]
    lines = [
        " ".join(
            f"{entry.name.partition('.')[2]} {entry.offset_data} {entry.size} {entry.name}"
            for entry in members
        )
        for _, members in groupby(entries, key=lambda entry: entry.name.partition(".")[0])
    ]
    return "\n".join([f"v1.2 {len(lines)}", *lines]) + "\n"


def read_index(path: Path, pairs: int) -> list[tuple[Member, ...]]:
    """The members of every sample.

    Args:
        pairs: how many samples the manifest says there are.

    Raises:
        DustError: the index is absent, no index, or of another number of samples.
    """
    try:
        head, *lines = path.read_text(encoding="ascii").splitlines()
        if head != f"v1.2 {pairs}" or len(lines) != pairs:
            raise ValueError(f"it lists {len(lines)} samples, the manifest says {pairs}")
        return [_members(line) for line in lines]
    except (OSError, ValueError) as error:
        raise DustError(
            f"not the index of its shard: {error}",
            where=str(path),
            fix=remedy(path, ANEW),
        ) from error


def verify_index(path: Path, tar: Path) -> None:
    """Prove that an index names the members of its tar where they are.

    Raises:
        DustError: it is absent or says something else, or the tar cannot be read.
    """
    expected = make_index(tar).encode("utf-8", "surrogateescape")
    present = path.read_bytes() if path.is_file() else None
    if present != expected:
        what = "is absent" if present is None else "does not say where the members of its tar are"
        raise DustError(
            f"the index {what}",
            where=str(path),
            fix=remedy(path, ANEW),
            exit_code=1,
        )


@contextmanager
def reading(tar: Path) -> Iterator[None]:
    """Say of any failure to read a tar that it is truncated or none.

    Raises:
        DustError: from the start if the tar has no end, or from what happens in the block.
    """
    try:
        _require_end(tar)
        yield
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DustError(
            f"the tar cannot be read: {error}",
            where=str(tar),
            fix=remedy(tar, ANEW),
            exit_code=1,
        ) from error


def _require_end(tar: Path) -> None:
    """A whole tar ends with two blocks of zeros; tarfile reads one without them in silence."""
    end = 2 * tarfile.BLOCKSIZE
    with tar.open("rb") as stream:
        stream.seek(max(0, tar.stat().st_size - end))
        if stream.read() != bytes(end):
            raise tarfile.ReadError("it has no end")


def _members(line: str) -> tuple[Member, ...]:
    parts = line.split(" ")
    groups = [parts[start : start + _PARTS] for start in range(0, len(parts), _PARTS)]
    members = tuple((suffix, int(offset), int(size)) for suffix, offset, size, _ in groups)
    if any(offset < 0 or size < 0 for _, offset, size in members):
        raise ValueError("an offset or a size is negative")
    return members
