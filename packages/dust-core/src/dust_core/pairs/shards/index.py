"""The index beside a tar: where each member of each sample begins, so that any can be read alone.

The format is v1.2 of DALI's webdataset reader: a line with the number of samples, then one line a
sample with suffix, offset, size and name of every member. Source:
https://docs.nvidia.com/deeplearning/dali/user-guide/docs/operations/nvidia.dali.fn.readers.webdataset.html
"""

import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from dust_core.bounded import open_regular, read_bounded
from dust_core.errors import DustError, first_line
from dust_core.tracked import ANEW, remedy

_PARTS = 4
_LINE_BYTES, _INDEX_BYTES = 4096, 256_000_000
_MEMBER = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")

Member = tuple[str, int, int]
"""Name or suffix, offset and size, in bytes of the tar."""


def make_index(tar: Path) -> str:
    """The text of the index of a tar, from the headers in it.

    Raises:
        DustError: the tar is truncated or is none.
    """
    with reading(tar):
        entries = list(tar_members(tar))
    lines = [
        " ".join(
            f"{name.partition('.')[2]} {offset} {size} {name}" for name, offset, size in members
        )
        for _, members in groupby(entries, key=lambda entry: entry[0].partition(".")[0])
    ]
    return "\n".join([f"v1.2 {len(lines)}", *lines]) + "\n"


def tar_members(tar: Path) -> Iterator[Member]:
    """Name, offset and size of every member of a tar, from its headers alone.

    What is written here is regular members of plain names: no links, devices, sparse files, longer
    names or folders, and no bytes beyond the file.

    Raises:
        tarfile.TarError: a header is damaged, or is not of such a member.
        OSError: the tar cannot be read.
    """
    with open_regular(tar) as stream:
        end, position = os.fstat(stream.fileno()).st_size, 0
        earlier: set[str] = set()
        while (block := stream.read(tarfile.BLOCKSIZE)) != bytes(tarfile.BLOCKSIZE):
            entry = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            begin = position + tarfile.BLOCKSIZE
            name = entry.name
            if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise tarfile.ReadError(f"{name!r} is a link, a folder or a device, not a member")
            if not _MEMBER.fullmatch(name):
                raise tarfile.ReadError(f"{name!r} is no name of a member")
            if name in earlier:
                raise tarfile.ReadError(f"it holds {name} twice")
            if not 0 <= entry.size <= end - begin:
                raise tarfile.ReadError(f"{name} claims {entry.size} bytes, beyond its end")
            earlier.add(name)
            yield name, begin, entry.size
            position = begin + -(-entry.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            stream.seek(position)


def read_index(path: Path, pairs: int, tar_bytes: int) -> list[tuple[Member, ...]]:
    """The members of every sample.

    Args:
        pairs: how many samples the manifest says there are.
        tar_bytes: the size of the tar, which no member exceeds.

    Raises:
        DustError: the index is absent, no index, or of another number of samples.
    """
    try:
        content = read_bounded(path, min(_LINE_BYTES * (pairs + 1), _INDEX_BYTES))
        head, *lines = content.decode("ascii").splitlines()
        if head != f"v1.2 {pairs}" or len(lines) != pairs:
            raise ValueError(f"it lists {len(lines)} samples, the manifest says {pairs}")
        return [_members(line, tar_bytes) for line in lines]
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
    try:
        present = read_bounded(path, len(expected))
    except FileNotFoundError:
        present = None
    except (OSError, ValueError):
        present = b""
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
            f"the tar cannot be read: {first_line(error)}",
            where=str(tar),
            fix=remedy(tar, ANEW),
            exit_code=1,
        ) from error


def _require_end(tar: Path) -> None:
    """A whole tar ends with two blocks of zeros; tarfile reads one without them in silence."""
    end = 2 * tarfile.BLOCKSIZE
    with open_regular(tar) as stream:
        stream.seek(max(0, tar.stat().st_size - end))
        if stream.read() != bytes(end):
            raise tarfile.ReadError("it has no end")


def _members(line: str, tar_bytes: int) -> tuple[Member, ...]:
    parts = line.split(" ")
    groups = [parts[start : start + _PARTS] for start in range(0, len(parts), _PARTS)]
    members = tuple((suffix, int(offset), int(size)) for suffix, offset, size, _ in groups)
    if any(min(offset, size) < 0 or offset + size > tar_bytes for _, offset, size in members):
        raise ValueError("an offset or a size is negative, or beyond the end of the tar")
    return members
