"""Pair shards: WebDataset tars of bounded size, an index beside each, one manifest for all.

A folder of shards holds `pairs-000000.tar`, `pairs-000000.idx`, ... and `manifest.json`. The index
is what DALI's webdataset reader takes (its format v1.2); the manifest freezes the set.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice, takewhile, zip_longest
from pathlib import Path

from dust_core.bounded import open_regular
from dust_core.errors import DustError
from dust_core.files import atomic_path, atomic_write_text, sha256_file
from dust_core.pairs.shards.facts import Facts
from dust_core.pairs.shards.index import make_index, reading, tar_members
from dust_core.pairs.shards.manifest import (
    FINISHED,
    MANIFEST,
    Manifest,
    Shard,
    moved,
    read_manifest,
    write_manifest,
)
from dust_core.pairs.shards.sample import Members
from dust_core.tracked import ANEW, remedy

# New shards lie in the first folder until all are written, and in the second while they take the
# place of an earlier set, so that the manifest names whole tars at every moment.
_UNFINISHED = ".unfinished"
_SUM = ".sha256"  # of a finished tar, beside it until all are
_WRITTEN_HERE = ("pairs-*.tar", "pairs-*.idx", ".pairs-*.part", f".{MANIFEST}.*.part")


def write_shards(
    samples: Iterable[Members], folder: Path, *, split: str, licence: str, pairs_per_shard: int
) -> Manifest:
    """Write samples, in order, as a folder of shards; memory holds one sample at a time.

    Every tar is written whole or not at all. Called again after it was interrupted, with the same
    samples, it keeps the tars that are finished and goes on. When all are written, they take the
    place of an earlier set in the folder, and nothing of that one remains. Whenever this is
    interrupted, the folder holds the earlier set or the new one, and both can be read.

    Args:
        samples: an empty one says that a finished tar of an interrupted call holds it.

    Raises:
        DustError: a file cannot be written, there is no sample, or an interrupted call wrote
            other samples.
    """
    _settle(folder)
    unfinished = folder / _UNFINISHED
    stream = iter(samples)
    shards: list[Shard] = []
    facts = Facts()
    for start in count(step=pairs_per_shard):
        first = next(stream, None)
        if first is None:
            break
        part = chain([first], islice(stream, pairs_per_shard - 1))
        path = unfinished / f"pairs-{len(shards):06d}.tar"
        if _is_full(path, pairs_per_shard):
            shards.append(_kept(path, part, facts))
        else:
            shards.append(_written(path, part, facts, start))
    if facts.size is None:
        raise DustError("there is no pair to write", where=str(folder), fix="check the source")
    manifest = Manifest(
        split=split,
        licence=licence,
        pairs=sum(shard.pairs for shard in shards),
        scenes=tuple(sorted(facts.scenes)),
        height=facts.size[0],
        width=facts.size[1],
        picture=facts.picture,
        shards=tuple(shards),
    )
    unfinished.replace(folder / FINISHED)
    write_manifest(folder, moved(manifest, f"{FINISHED}/"))
    _settle(folder)
    return manifest


def unfinished_folder(folder: Path) -> Path:
    """Where new shards of a folder lie until all are written."""
    return folder / _UNFINISHED


def unfinished_pairs(folder: Path, pairs_per_shard: int) -> int:
    """How many pairs `write_shards` keeps of a call that was interrupted.

    A tar counts if it has the bytes that were written.
    """
    paths = (folder / _UNFINISHED / f"pairs-{number:06d}.tar" for number in count())
    full = takewhile(lambda path: _is_full(path, pairs_per_shard), paths)
    return pairs_per_shard * sum(1 for _ in full)


def verify_shard(folder: Path, shard: Shard) -> None:
    """Prove that a tar has the bytes that the manifest names.

    Raises:
        DustError: it is absent or has others.
    """
    sha256 = sha256_file(folder / shard.name)
    if sha256 != shard.sha256:
        with reading(folder / shard.name):
            pass  # a tar without an end is better called truncated than of another sum
        raise DustError(
            f"its SHA-256 is {sha256}, the manifest says {shard.sha256}",
            where=str(folder / shard.name),
            fix=remedy(folder, ANEW),
            exit_code=1,
        )


def read_shard(path: Path) -> Iterator[tuple[str, Members]]:
    """Key and members of every sample of a tar, in order.

    Raises:
        DustError: the tar is truncated, is none, or holds anything but plain members.
    """
    key, members = "", Members()
    with reading(path), open_regular(path) as stream:
        for name, offset, size in tar_members(path):
            base, _, suffix = name.partition(".")
            if base != key and members:
                yield key, members
                members = {}
            key = base
            stream.seek(offset)
            members[suffix] = stream.read(size)
    if members:
        yield key, members


def _is_full(path: Path, pairs: int) -> bool:
    """Whether a tar was finished with so many pairs, and is whole.

    Its index is written after it, and its sum after the index.
    """
    index, stated = path.with_suffix(".idx"), path.with_suffix(_SUM)
    try:
        return index.read_bytes().startswith(f"v1.2 {pairs}\n".encode()) and stated.read_text(
            encoding="utf-8"
        ) == sha256_file(path)
    except (OSError, UnicodeError, DustError):
        return False


def _kept(path: Path, part: Iterator[Members], facts: Facts) -> Shard:
    """A finished tar of an earlier call, compared with its samples in the stream."""
    pairs = 0
    for (_, members), sample in zip_longest(read_shard(path), part):
        if sample is None or (sample and sample != members):
            raise DustError(
                "an interrupted call wrote other samples into it",
                where=str(path),
                fix=f"delete {path.parent} and write the set from its start",
            )
        facts.note(members)
        pairs += 1
    return Shard(path.name, pairs, sha256_file(path))


def _written(path: Path, part: Iterator[Members], facts: Facts, start: int) -> Shard:
    pairs = 0
    with atomic_path(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for members in part:
                facts.note(members)
                append_sample(tar, f"{start + pairs:07d}", members)
                pairs += 1
        index, sha256 = make_index(temporary), sha256_file(temporary)
    # The sum comes last: a tar without one was interrupted and is written anew.
    atomic_write_text(path.with_suffix(".idx"), index)
    atomic_write_text(path.with_suffix(_SUM), sha256)
    return Shard(path.name, pairs, sha256)


def _settle(folder: Path) -> None:
    """Bring a new set from `FINISHED` to its place, also after an interruption at any step."""
    try:
        if (folder / FINISHED).is_dir():
            _bring_into_place(folder)
            shutil.rmtree(folder / FINISHED)
    except OSError as error:
        raise DustError(
            f"the new shards cannot take their place: {error.strerror or error}",
            where=str(folder),
            fix="free some space or allow writing; the set is whole and the next call goes on",
        ) from error


def _bring_into_place(folder: Path) -> None:
    manifest = read_manifest(folder) if (folder / MANIFEST).is_file() else None
    prefix = f"{FINISHED}/"
    if manifest is None or not manifest.shards[0].name.startswith(prefix):
        return  # interrupted before the manifest named the new set, or after it was in place
    for pattern in _WRITTEN_HERE:
        for earlier in folder.glob(pattern):
            earlier.unlink()
    for shard in manifest.shards:
        for path in (folder / shard.name, folder / shard.index):
            _also_at(path, folder / path.name)
    write_manifest(folder, moved(manifest, ""))


def _also_at(path: Path, second: Path) -> None:
    try:
        os.link(path, second)
    except OSError:  # a file system without hard links
        with atomic_path(second) as temporary:
            shutil.copyfile(path, temporary)


def append_sample(tar: tarfile.TarFile, key: str, members: Members) -> None:
    """Write a sample into a tar, one file for each member."""
    for suffix, content in members.items():
        entry = tarfile.TarInfo(f"{key}.{suffix}")
        entry.size = len(content)  # all else stays 0: the same samples make the same bytes
        tar.addfile(entry, io.BytesIO(content))
