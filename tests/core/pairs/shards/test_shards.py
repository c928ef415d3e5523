import json
import re
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniature import pair

from dust_core.cli import main
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.pairs.geometry import covisibility
from dust_core.pairs.shards.check import check_set, pair_errors
from dust_core.pairs.shards.manifest import MANIFEST, read_manifest
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import Members, decode, encode
from dust_core.pairs.shards.tars import write_shards


def members(count: int) -> list[Members]:
    return [encode(pair(n, n + 1, f"room{n % 2}"), picture="png") for n in range(count)]


def write(folder: Path, samples: list[Members] | Iterator[Members], size: int = 3) -> Path:
    write_shards(samples, folder, split="training", licence="CC0", pairs_per_shard=size)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_set_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, members(7))
    samples = list(read_samples(tmp_path, verify=True))
    assert len(samples) == 7
    for n, sample in enumerate(samples):
        original = pair(n, n + 1)
        assert np.array_equal(sample.images[0], original.images[0])
        np.testing.assert_allclose(sample.depths[1], original.depths[1], atol=0.000501)
        assert np.array_equal(sample.view1_from_view2, original.view1_from_view2)
    manifest = read_manifest(tmp_path)
    assert (manifest.pairs, manifest.scenes) == (7, ("room0", "room1"))
    assert [shard.pairs for shard in manifest.shards] == [3, 3, 1]


def test_other_tools_read_the_tars(tmp_path: Path) -> None:
    write(tmp_path, members(4))
    tars = [str(path) for path in sorted(tmp_path.glob("*.tar"))]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"{n:07d}" for n in range(4)]
    assert json.loads(samples[3]["json"])["scene"] == "room1"


def test_the_index_points_at_every_member(tmp_path: Path) -> None:
    write(tmp_path, members(2))
    head, *lines = (tmp_path / "pairs-000000.idx").read_text().splitlines()
    assert head == "v1.2 2"
    content = (tmp_path / "pairs-000000.tar").read_bytes()
    with tarfile.open(tmp_path / "pairs-000000.tar") as tar:
        for line in lines:
            parts = line.split(" ")
            for _, offset, size, name in zip(*[iter(parts)] * 4, strict=True):
                stream = tar.extractfile(name)
                assert stream and stream.read() == content[int(offset) :][: int(size)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stop=st.integers(0, 6))
def test_an_interrupted_writer_goes_on_to_the_same_bytes(
    stop: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = files(write(tmp_path_factory.mktemp("whole"), members(7)))
    folder = tmp_path_factory.mktemp("interrupted")

    def interrupted() -> Iterator[Members]:
        yield from members(7)[:stop]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(folder, interrupted())
    assert not (folder / MANIFEST).exists()
    assert not list(folder.rglob("*.part")), "no half-written file is left"
    assert files(write(folder, iter(members(7)))) == whole


def test_nothing_to_write_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DustError, match=r"there is no pair to write"):
        write(tmp_path, [])


def changed(change: Callable[[Members], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        samples = members(3)
        change(samples[1])
        return write(folder, samples)

    return make


def truncated(folder: Path) -> Path:
    write(folder, members(3))
    tar = folder / "pairs-000000.tar"
    tar.write_bytes(tar.read_bytes()[:9000])
    content = json.loads((folder / MANIFEST).read_text())
    content["shards"][0]["sha256"] = sha256_file(tar)
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder


def exchanged(folder: Path) -> Path:
    write(folder, members(3))
    tar = folder / "pairs-000000.tar"
    content = bytearray(tar.read_bytes())
    content[700] ^= 1
    tar.write_bytes(content)
    return folder


def cameras(index: int, value: float) -> Callable[[Members], object]:
    def change(sample: Members) -> None:
        numbers = np.frombuffer(sample["cam.bin"], "<f4").copy()
        numbers[index] = value
        sample["cam.bin"] = numbers.tobytes()

    return change


def other_size(sample: Members) -> None:
    small = pair(1, 2)
    image = np.ascontiguousarray(small.images[1][:32])
    cut = replace(small, images=(small.images[0], image))
    sample["2.png"] = encode(cut, picture="png")["2.png"]


def half_fetched(folder: Path) -> Path:
    write(folder, members(3))
    tar = folder / "pairs-000000.tar"
    tar.write_bytes(tar.read_bytes()[:9000])
    return folder


def of_another_tar(folder: Path) -> Path:
    """An index with right counts whose offsets are those of other pictures."""
    foreign = write(folder.with_name("other"), [encode(pair(n, 9)) for n in range(3)])
    write(folder, members(3))
    (folder / "pairs-000000.idx").write_bytes((foreign / "pairs-000000.idx").read_bytes())
    return folder


def of_an_earlier_set(folder: Path) -> Path:
    write(folder, members(3))
    (folder / "pairs-000001.tar").write_bytes((folder / "pairs-000000.tar").read_bytes())
    return folder


def with_a_pair_twice(folder: Path) -> Path:
    """As a scene that was renamed between two imports leaves it."""
    again = encode(pair(1, 2, "renamed"), picture="png")
    return write(folder, [*members(3), again])


def without_index(folder: Path) -> Path:
    (write(folder, members(3)) / "pairs-000000.idx").unlink()
    return folder


DAMAGE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated tar": (truncated, "pairs-000000.tar.*: the tar cannot be read"),
    "half-fetched tar": (half_fetched, "pairs-000000.tar: the tar cannot be read: it has no end"),
    "foreign index": (of_another_tar, "pairs-000000.idx: the index does not say where"),
    "no index": (without_index, "pairs-000000.idx: the index is absent"),
    "a pair twice": (with_a_pair_twice, "000001.tar:0000003: the same pair as .*:0000001"),
    "stray tar": (of_an_earlier_set, "pairs-000001.tar: the manifest does not name it"),
    "other bytes": (exchanged, "pairs-000000.tar: its SHA-256 is .*, the manifest says"),
    "missing member": (
        changed(lambda m: m.pop("2.depth.png")),
        ":0000001: a damaged sample: 2.depth.png is missing",
    ),
    "wrong size": (changed(other_size), ":0000001: .*2.png is 32x64, 1.png is 64x64"),
    "NaN": (changed(cameras(2, float("nan"))), ":0000001: .*cam.bin holds NaN or infinity"),
    "no rigid pose": (changed(cameras(18, 3.0)), ":0000001: .*no rotation and translation"),
    "a wrong pose": (
        changed(cameras(29, 1.5)),
        ":0000001: pose or intrinsics are wrong: warped into view 2, depth is off by",
    ),
    "no camera": (changed(cameras(0, -60.0)), ":0000001: .*K1 is no camera matrix"),
    "short camera": (
        changed(lambda m: m.update({"cam.bin": b"abc"})),
        ":0000001: .*cam.bin has 3 bytes, expected 144",
    ),
    "no picture": (
        changed(lambda m: m.update({"1.png": b"not a picture"})),
        ":0000001: .*1.png cannot be decoded",
    ),
    "8-bit depth": (
        changed(lambda m: m.update({"1.depth.png": m["1.png"]})),
        ":0000001: .*1.depth.png has mode RGB, expected I;16",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_each_damage_has_one_message_that_names_its_place(damage: str, tmp_path: Path) -> None:
    make, message = DAMAGE[damage]
    report = check_set(make(tmp_path))
    assert len(report.faults) == 1, report.faults
    assert re.search(message, report.faults[0]), report.faults[0]


def test_other_pictures_under_the_names_of_a_pair_are_a_warning(tmp_path: Path) -> None:
    second = replace(pair(3, 4, "room1"), about=pair(1, 2, "room1").about)
    report = check_set(write(tmp_path, [*members(3), encode(second, picture="png")]))
    assert not report.faults
    assert len(report.warnings) == 1
    assert re.search(
        ":0000003: it names the scene and the frames of .*:0000001", report.warnings[0]
    )


def test_check_prints_the_medians_and_exits_1_on_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path) -> int:
        monkeypatch.setattr(sys, "argv", ["dust", "data", "check", str(folder)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0

    assert run(write(tmp_path / "good", members(3))) == 0
    assert "3 of 3 pairs agree in depth; medians of the warp: covisible" in capsys.readouterr().out
    assert run(DAMAGE["a wrong pose"][0](tmp_path / "bad")) == 1
    assert "fault: " in capsys.readouterr().out


@pytest.mark.parametrize("about", [b"{}", b'{"scene": 3}', b"no json", b"[]"])
def test_a_sample_of_no_scene_is_not_written(about: bytes, tmp_path: Path) -> None:
    samples = members(2)
    samples[1]["json"] = about
    with pytest.raises(DustError, match="json names no scene"):
        write(tmp_path, samples)


def test_evaluation_stops_at_a_damaged_sample(tmp_path: Path) -> None:
    with pytest.raises(DustError, match=r"2\.depth\.png is missing"):
        list(read_samples(DAMAGE["missing member"][0](tmp_path)))


def test_the_true_geometry_warps_one_view_onto_the_other() -> None:
    for second in (1, 2, 5):
        errors = pair_errors(pair(0, second))
        assert errors.covisible > 0.6
        assert errors.geometric < 0.005
        assert errors.photometric < 3


def test_covisibility_of_a_view_with_itself_is_everything_and_behind_it_nothing() -> None:
    sample = pair(0, 0)
    depth, k = sample.depths[0], sample.intrinsics[0]
    assert covisibility(depth, depth, k, k, np.eye(4)) == 1
    turned = np.diag([-1.0, 1, -1, 1])
    assert covisibility(depth, depth, k, k, turned) == 0


@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from(["jpg", "png"]))
def test_a_sample_survives_its_encoding(first: int, second: int, picture: str) -> None:
    original = pair(first, second)
    decoded = decode(encode(original, picture=picture), "here")
    for a, b in zip(decoded.images, original.images, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).mean() < (1 if picture == "png" else 4)
    for a, b in zip(decoded.depths, original.depths, strict=True):
        np.testing.assert_allclose(a, b, atol=0.000501)
    assert np.array_equal(decoded.intrinsics[1], original.intrinsics[1])
