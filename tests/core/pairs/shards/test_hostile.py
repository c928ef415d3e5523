"""What a stranger's set claims costs neither time nor memory, and is refused in one message."""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from miniature import pair

from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.pairs.commands import info
from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.index import make_index
from dust_core.pairs.shards.manifest import MANIFEST
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import encode
from dust_core.pairs.shards.store import SampleStore
from dust_core.pairs.shards.tars import write_shards

TAR, INDEX = "pairs-000000.tar", "pairs-000000.idx"
Spoil = Callable[[Path], None]
Parts = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples = [encode(pair(n, n + 1), picture="png") for n in range(2)]
    write_shards(samples, tmp_path / "set", split="a", licence="CC0-1.0", pairs_per_shard=2)
    return tmp_path / "set"


def state(folder: Path, **values: Any) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(content | values))


def state_sum(folder: Path) -> None:
    """Whoever changes a tar changes its sum in the manifest as well."""
    shard = json.loads((folder / MANIFEST).read_text())["shards"][0]
    state(folder, shards=[shard | {"sha256": sha256_file(folder / TAR)}])


def with_members(change: Callable[[Parts], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        with tarfile.open(folder / TAR) as tar:
            parts = [(entry, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]
        change(parts)
        with tarfile.open(folder / TAR, "w", format=tarfile.PAX_FORMAT) as tar:
            for entry, content in parts:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        state_sum(folder)

    return spoil


def as_a(kind: bytes, target: str = "") -> Spoil:
    def change(parts: Parts) -> None:
        entry, _ = parts[-1]
        entry.type, entry.linkname = kind, target
        parts[-1] = (entry, b"")

    return with_members(change)


def named(name: str) -> Spoil:
    return with_members(lambda parts: setattr(parts[-1][0], "name", name))


def sparse(size: int) -> Spoil:
    def change(parts: Parts) -> None:
        entry, _ = parts[-1]
        names = ("major", "minor", "name", "realsize")
        values = ("1", "0", entry.name, str(size))
        entry.pax_headers = {
            f"GNU.sparse.{name}": value for name, value in zip(names, values, strict=True)
        }
        parts[-1] = (entry, b"1\n0\n0\n".ljust(512, b"\0"))

    return with_members(change)


def of_size(size: int) -> Spoil:
    def spoil(folder: Path) -> None:
        content = bytearray((folder / TAR).read_bytes())
        content[124:136] = b"\x80" + size.to_bytes(11, "big")
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:512])
        (folder / TAR).write_bytes(content)
        state_sum(folder)

    return spoil


def pipe(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def directory(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def endless(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to("/dev/zero")

    return spoil


def with_shard(**values: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        shard = json.loads((folder / MANIFEST).read_text())["shards"][0]
        state(folder, shards=[shard | values])

    return spoil


def manifest(**values: Any) -> Spoil:
    return lambda folder: state(folder, **values)


def manifest_text(text: str) -> Spoil:
    return lambda folder: (folder / MANIFEST).write_text(text) and None


def json_of_the_last(text: bytes) -> Spoil:
    def spoil(folder: Path) -> None:
        def change(parts: Parts) -> None:
            parts[-1] = (parts[-1][0], text)

        with_members(change)(folder)
        lines = (folder / INDEX).read_text().splitlines()
        words = lines[-1].split(" ")
        words[-2] = str(len(text))
        (folder / INDEX).write_text("\n".join([*lines[:-1], " ".join(words)]) + "\n")

    return spoil


NO_MEMBER = "a link, a folder or a device, not a member"
TARS: dict[str, tuple[Spoil, str]] = {
    "a link to a file": (as_a(tarfile.SYMTYPE, "/etc/passwd"), NO_MEMBER),
    "a link to itself": (as_a(tarfile.SYMTYPE, "0000001.json"), NO_MEMBER),
    "a hard link": (as_a(tarfile.LNKTYPE, "0000000.json"), NO_MEMBER),
    "a pipe within": (as_a(tarfile.FIFOTYPE), NO_MEMBER),
    "a device within": (as_a(tarfile.CHRTYPE), NO_MEMBER),
    "a folder within": (as_a(tarfile.DIRTYPE), NO_MEMBER),
    "a sparse member": (sparse(10**18), NO_MEMBER),
    "an absolute name": (named("/etc/0000001.json"), "is no name of a member"),
    "a name outside": (named("../../0000001.json"), "is no name of a member"),
    "a name of two lines": (named("0000001.json\nv1.2 2"), "is no name of a member"),
    "a member twice": (with_members(lambda parts: parts.append(parts[-1])), "0000001.json twice"),
    "a size of 10 ** 18": (of_size(10**18), "claims 1000000000000000000 bytes, beyond its end"),
    "a size of 2 ** 87": (of_size(2**87), "claims 154742504910672534362390528 bytes"),
    "a pipe": (pipe(TAR), "no regular file"),
    "a directory": (directory(TAR), "no regular file"),
    "without an end": (endless(TAR), "no regular file"),
}
TEXTS: dict[str, tuple[Spoil, str]] = {
    "brackets": (json_of_the_last(b"[" * 200_000), "it nests too deep"),
    "a number of 10,000 digits": (
        json_of_the_last(b'{"scene": "a", "x": ' + b"9" * 10_000 + b"}"),
        "json names no scene",
    ),
    "half a character": (json_of_the_last(b'{"scene": "\\ud800"}'), "json names no scene"),
    "a list": (json_of_the_last(b"[1, 2]"), "json names no scene"),
    "a name twice": (json_of_the_last(b'{"scene": "a", "scene": "b"}'), "'scene' twice"),
}


def checked(folder: Path) -> str:
    report = check_set(folder)
    assert len(report.faults) == 1, report.faults
    return report.faults[0]


@pytest.mark.parametrize("name", [*TARS, *TEXTS])
def test_a_tar_is_refused_at_once_by_every_reader(name: str, folder: Path) -> None:
    spoil, message = (TARS | TEXTS)[name]
    spoil(folder)
    start = time.process_time()
    assert message in checked(folder)
    with pytest.raises(DustError, match=message):
        list(read_samples(folder))
    assert time.process_time() - start < 1


@pytest.mark.parametrize("name", TARS)
def test_training_reads_no_such_tar(name: str, folder: Path) -> None:
    spoil, message = TARS[name]
    spoil(folder)
    with pytest.raises(DustError, match=message):
        SampleStore(folder).read(0)


def index(change: Callable[[list[str]], list[str]]) -> Spoil:
    def spoil(folder: Path) -> None:
        lines = (folder / INDEX).read_text().splitlines()
        (folder / INDEX).write_text("\n".join(change(lines)) + "\n")

    return spoil


INDICES: dict[str, tuple[Spoil, str]] = {
    "a size of 10 ** 18": (
        index(lambda lines: [*lines[:-1], f"json 512 {10**18} a"]),
        "beyond the end of the tar",
    ),
    "a number of 10,000 digits": (
        index(lambda lines: [*lines[:-1], f"json {'9' * 4000} 5 a"]),
        "beyond the end of the tar",
    ),
    "a long text": (index(lambda lines: [*lines, " " * 1_000_000]), "more than"),
    "not in fours": (index(lambda lines: [*lines[:-1], "json 1"]), "not the index of its shard"),
    "a pipe": (pipe(INDEX), "no regular file"),
    "a directory": (directory(INDEX), "no regular file"),
    "without an end": (endless(INDEX), "no regular file"),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_is_bounded_by_its_tar(name: str, folder: Path) -> None:
    spoil, message = INDICES[name]
    spoil(folder)
    with pytest.raises(DustError, match=message):
        SampleStore(folder)
    assert "does not say where the members" in checked(folder)


MANIFESTS: dict[str, tuple[Spoil, str]] = {
    "brackets": (manifest_text("[" * 200_000), "it nests too deep"),
    "a list": (manifest_text("[]"), "not a manifest"),
    "more than 16 MB": (manifest_text(" " * 17_000_000), "more than 16,000,000 bytes"),
    "30,000 shards": (manifest(shards=[{}] * 30_000), "more than 20,000 shards"),
    "a pipe": (pipe(MANIFEST), "no regular file"),
    "a directory": (directory(MANIFEST), "no regular file"),
    "without an end": (endless(MANIFEST), "no regular file"),
    "pairs as text": (manifest(pairs="2"), "pairs: "),
    "10 ** 18 pairs": (manifest(pairs=10**18), "pairs: "),
    "no pair": (manifest(pairs=0), "pairs: "),
    "a height of 10 ** 18": (manifest(height=10**18), "height: "),
    "scenes as a text": (manifest(scenes="room"), "scenes: "),
    "scenes as numbers": (manifest(scenes=[1]), "scenes.0: "),
    "a scene of half a character": (manifest(scenes=["\ud800"]), "surrogates|nests"),
    "another picture": (manifest(picture="../x"), "picture: "),
    "a field more": (manifest(more=1), "more: "),
    "no shards": (manifest(shards=[]), "shards: "),
    "shards as a mapping": (manifest(shards={"a": 1}), "not a manifest"),
    "an absolute name": (with_shard(name="/etc/passwd"), "name: "),
    "a name outside": (with_shard(name=f"../set/{TAR}"), "name: "),
    "an empty name": (with_shard(name=""), "name: "),
    "a name with a zero": (with_shard(name="a\0b"), "name: "),
    "a name of another file": (with_shard(name=MANIFEST), "name: "),
    "a number as a name": (with_shard(name=5), "name: "),
    "a sum as a number": (with_shard(sha256=5), "sha256: "),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_refused_before_anything_is_opened(name: str, folder: Path) -> None:
    spoil, message = MANIFESTS[name]
    spoil(folder)
    for read in (info, check_set, SampleStore, lambda folder: list(read_samples(folder))):
        with pytest.raises(DustError, match=message) as caught:
            read(folder)  # type: ignore[operator]
        assert caught.value.where == str(folder / MANIFEST)
        assert len(caught.value.what) < 500


def test_a_shard_is_named_once(folder: Path) -> None:
    shard = json.loads((folder / MANIFEST).read_text())["shards"][0]
    state(folder, shards=[shard, shard], pairs=4)
    with pytest.raises(DustError, match="names a shard twice"):
        SampleStore(folder)


def test_a_tar_of_thousands_more_samples_is_one_fault(folder: Path) -> None:
    def change(parts: Parts) -> None:
        parts.extend((tarfile.TarInfo(f"{number:07}.json"), b"") for number in range(2, 5000))

    with_members(change)(folder)
    (folder / INDEX).write_text(make_index(folder / TAR))
    faults = check_set(folder).faults
    assert any("holds more pairs, the manifest says 2" in fault for fault in faults)
    assert len(faults) < 4
