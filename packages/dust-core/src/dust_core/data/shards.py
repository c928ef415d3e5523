"""Pair shards: WebDataset tars of bounded size, an index beside each, one manifest for all.

A folder of shards holds `pairs-000000.tar`, `pairs-000000.idx`, ... and `manifest.json`. The index
is what DALI's webdataset reader takes (its format v1.2); the manifest freezes the set.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dust_core.data.sample import Members, read_about
from dust_core.errors import DustError
from dust_core.files import atomic_path, atomic_write_text, sha256_file

MANIFEST = "manifest.json"
_FORMAT = "dust/pairs/v1"


@dataclass(frozen=True)
class Shard:
    """One tar of a set: its name, its pairs, its bytes."""

    name: str
    pairs: int
    sha256: str

    @property
    def index(self) -> str:
        """The name of the index beside the tar."""
        return str(Path(self.name).with_suffix(".idx"))


@dataclass(frozen=True)
class Manifest:
    """What a set is: it is frozen by this file's SHA-256.

    Attributes:
        split: what the set is for.
        licence: the licence of its data.
        pairs: how many pairs.
        scenes: their scenes, sorted.
        height, width: of every image, pixels.
        picture: `jpg` or `png`.
        shards: the tars, in order.
    """

    split: str
    licence: str
    pairs: int
    scenes: tuple[str, ...]
    height: int
    width: int
    picture: str
    shards: tuple[Shard, ...]


def write_shards(
    samples: Iterable[Members], folder: Path, *, split: str, licence: str, pairs_per_shard: int
) -> Manifest:
    """Write samples, in order, as a folder of shards; memory holds one sample at a time.

    Every tar is written whole or not at all. Called again after it was interrupted, with the same
    samples, it keeps the tars that are there and goes on; the manifest comes last.

    Raises:
        DustError: a file cannot be written, or there is no sample.
    """
    stream = iter(samples)
    shards: list[Shard] = []
    facts = _Facts()
    while True:
        name = f"pairs-{len(shards):06d}.tar"
        shard = _kept(folder / name, stream, facts) or _written(
            folder / name, stream, facts, len(shards) * pairs_per_shard, pairs_per_shard
        )
        if shard is None:
            break
        shards.append(shard)
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
    content = {"format": _FORMAT, **asdict(manifest)}
    atomic_write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder of shards.

    Raises:
        DustError: it is absent or no manifest.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError(f"it is not of the format {_FORMAT}")
        shards = tuple(Shard(**shard) for shard in content.pop("shards"))
        return Manifest(**content | {"shards": shards, "scenes": tuple(content["scenes"])})
    except FileNotFoundError as error:
        raise DustError(
            "there is no manifest", where=str(path), fix="pull the data: `dvc pull`"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DustError(
            f"not a manifest of pair shards: {error}",
            where=str(path),
            fix="pull the data again: `dvc pull`",
        ) from error


def verify_shard(folder: Path, shard: Shard) -> None:
    """Prove that a tar has the bytes that the manifest names.

    Raises:
        DustError: it is absent or has others.
    """
    found = sha256_file(folder / shard.name)
    if found != shard.sha256:
        raise DustError(
            f"its SHA-256 is {found}, the manifest says {shard.sha256}",
            where=str(folder / shard.name),
            fix="pull the data again: `dvc pull`",
            exit_code=1,
        )


def read_shard(path: Path) -> Iterator[tuple[str, Members]]:
    """Key and members of every sample of a tar, in order.

    Raises:
        DustError: the tar is truncated or is none.
    """
    key, members = "", Members()
    try:
        _require_end(path)
        with tarfile.open(path, "r:") as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                if stream is None:
                    continue
                base, _, suffix = Path(entry.name).name.partition(".")
                if base != key and members:
                    yield key, members
                    members = {}
                key = base
                members[suffix] = stream.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DustError(
            f"the tar cannot be read: {error}",
            where=f"{path}:{key}" if key else str(path),
            fix="it is truncated: fetch it again with `dvc pull`, or write it anew",
            exit_code=1,
        ) from error
    if members:
        yield key, members


def _require_end(path: Path) -> None:
    """A whole tar ends with two blocks of zeros; tarfile reads one without them in silence."""
    with path.open("rb") as stream:
        stream.seek(0, io.SEEK_END)
        stream.seek(max(0, stream.tell() - 2 * tarfile.BLOCKSIZE))
        if stream.read() != bytes(2 * tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end")


@dataclass
class _Facts:
    """What the manifest says of all samples, gathered while they pass."""

    size: tuple[int, int] | None = None
    picture: str = ""

    def __post_init__(self) -> None:
        self.scenes: set[str] = set()

    def note(self, members: Members) -> None:
        if self.size is None:
            from PIL import Image

            self.picture = "png" if "1.png" in members else "jpg"
            with Image.open(io.BytesIO(members[f"1.{self.picture}"])) as image:
                self.size = (image.height, image.width)
        self.scenes.add(read_about(members, "the sample to write")["scene"])


def _kept(path: Path, stream: Iterator[Members], facts: _Facts) -> Shard | None:
    """A finished tar of an earlier call, after its samples are taken from the stream."""
    index = path.with_suffix(".idx")
    if not index.is_file():
        return None
    pairs = 0
    for _, members in read_shard(path):
        facts.note(members)
        next(stream, None)
        pairs += 1
    return Shard(path.name, pairs, sha256_file(path))


def _written(
    path: Path, stream: Iterator[Members], facts: _Facts, start: int, most: int
) -> Shard | None:
    lines: list[str] = []
    with atomic_path(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            while len(lines) < most and (members := next(stream, None)) is not None:
                facts.note(members)
                lines.append(_append(tar, f"{start + len(lines):07d}", members))
        if lines:
            sha256 = sha256_file(temporary)
    if not lines:
        path.unlink()
        return None
    # The index comes last: a tar without one was interrupted and is written anew.
    atomic_write_text(path.with_suffix(".idx"), "\n".join([f"v1.2 {len(lines)}", *lines]) + "\n")
    return Shard(path.name, len(lines), sha256)


def _append(tar: tarfile.TarFile, key: str, members: Members) -> str:
    """Add one sample and return its line of the index: suffix, offset, size, name of each."""
    parts: list[Any] = []
    for suffix, content in members.items():
        entry = tarfile.TarInfo(f"{key}.{suffix}")
        entry.size = len(content)  # all else stays 0: the same samples make the same bytes
        header = tar.offset
        tar.addfile(entry, io.BytesIO(content))
        parts += [suffix, header + tarfile.BLOCKSIZE, len(content), entry.name]
    return " ".join(map(str, parts))
