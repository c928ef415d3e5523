import io
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from miniature import AUGMENTATION, SIDE, pair
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.feed.decoded import decoded_shards
from dust_core.pairs.feed.feed import FeedOptions, PairBatch, PairFeed
from dust_core.pairs.feed.order import Adjustment, Augmentation, cut_intrinsics, indices
from dust_core.pairs.geometry import seen, warp
from dust_core.pairs.shards import store
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import Members, encode
from dust_core.pairs.shards.tars import write_shards

COUNT = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("set"), lambda n, members: None)


def write(folder: Path, damage: Callable[[int, Members], object], picture: str = "png") -> Path:
    samples = []
    for n in range(COUNT):
        members = encode(pair(n, n + 1), picture=picture)
        damage(n, members)
        samples.append(members)
    write_shards(samples, folder, split="training", licence="CC0", pairs_per_shard=4)
    return folder


def feed(folder: Path, **options: object) -> PairFeed:
    return PairFeed(folder, FeedOptions(**({"batch": 4, "side": SIDE} | options)))


def names(batch: PairBatch) -> list[float]:
    """Something that differs between samples: where camera 2 is in camera 1."""
    return [round(float(value), 5) for value in batch.view1_from_view2[:, 0, 3]]


def stream(source: PairFeed, count: int) -> list[list[float]]:
    return [names(next(source)) for _ in range(count)]


def test_evaluation_reads_every_pair_once_and_exactly(folder: Path) -> None:
    batches = list(feed(folder, shuffle=False, last_batch="partial"))
    assert [len(batch.image1) for batch in batches] == [4, 4, 2]
    columns = [torch.cat(column) for column in zip(*batches, strict=True)]
    for n, sample in enumerate(read_samples(folder)):
        for view in (0, 1):
            image = (columns[view][n].permute(1, 2, 0).numpy() + 1) * 127.5
            np.testing.assert_allclose(image, sample.images[view], atol=1e-4)
            assert np.array_equal(columns[2 + view][n].numpy(), sample.depths[view])
            np.testing.assert_allclose(columns[4 + view][n].numpy(), sample.intrinsics[view])
        assert np.array_equal(columns[6][n].numpy(), sample.view1_from_view2)


def test_jpegs_are_decoded_as_the_oracle_decodes_them(tmp_path: Path) -> None:
    write(tmp_path, lambda n, members: None, picture="jpg")
    batch = next(feed(tmp_path, shuffle=False))
    for n, sample in zip(range(4), read_samples(tmp_path), strict=False):
        image = (batch.image2[n].permute(1, 2, 0).numpy() + 1) * 127.5
        assert np.abs(image - sample.images[1]).mean() < 1.5


@pytest.mark.parametrize("side", [SIDE, SIDE // 2, 48])
@pytest.mark.parametrize("augmentation", [None, AUGMENTATION])
def test_geometry_stays_exact_through_scaling_and_augmentation(
    side: int, augmentation: Augmentation | None, folder: Path
) -> None:
    source = feed(folder, side=side, augmentation=augmentation)
    for _ in range(3):
        batch = next(source)
        for n in range(4):
            depth_1, depth_2 = batch.depth1[n].numpy(), batch.depth2[n].numpy()
            warped = warp(
                depth_1,
                batch.intrinsics1[n].double().numpy(),
                batch.intrinsics2[n].double().numpy(),
                batch.view1_from_view2[n].double().numpy(),
                depth_2.shape,
            )
            nearest = np.rint(warped.pixels_2).astype(int)
            own = depth_2[nearest[:, 1], nearest[:, 0]]
            # Nearest sampling is off by half a pixel at most: on flat walls that is under 3 %.
            assert np.median(np.abs(own - warped.depth_2) / own) < 0.03
            assert seen(warped, depth_2).mean() > 0.5


def test_augmentation_changes_colours_and_crops_but_nothing_without_it(folder: Path) -> None:
    plain, varied = (next(feed(folder, augmentation=a)) for a in (None, AUGMENTATION))
    assert names(plain) != names(varied) or not torch.equal(plain.image1, varied.image1)
    again = next(feed(folder, augmentation=AUGMENTATION))
    assert all(torch.equal(a, b) for a, b in zip(varied, again, strict=True))


def test_two_ranks_read_disjoint_halves_of_a_single_rank_s_batches(folder: Path) -> None:
    whole = stream(feed(folder, batch=4), 5)
    halves = [stream(feed(folder, batch=2, rank=rank, world=2), 5) for rank in (0, 1)]
    for together, first, second in zip(whole, *halves, strict=True):
        assert together == [first[0], second[0], first[1], second[1]]
    assert not set(halves[0][0]) & set(halves[1][0])


def test_each_pass_reads_everything_in_an_order_of_its_own(folder: Path) -> None:
    source = feed(folder, batch=2)
    passes = [list(chain(*stream(source, 5))) for _ in range(2)]
    assert sorted(passes[0]) == sorted(passes[1])
    assert len(set(passes[0])) == COUNT
    assert passes[0] != passes[1]
    assert stream(feed(folder, batch=2, seed=43), 5) != stream(feed(folder, batch=2), 5)


@pytest.mark.parametrize("stop", [0, 1, 3, 4])
def test_a_restored_feed_goes_on_where_the_saved_one_was(stop: int, folder: Path) -> None:
    options = {"batch": 3, "augmentation": AUGMENTATION}
    source = feed(folder, **options)
    for _ in range(stop):
        next(source)
    state = source.state_dict()
    expected = [next(source) for _ in range(3)]
    restored = feed(folder, **options)
    next(restored)
    restored.load_state_dict(state)
    for batch in expected:
        assert all(torch.equal(a, b) for a, b in zip(next(restored), batch, strict=True))


def spoil(n: int, members: Members) -> None:
    if n == 3:
        members["1.png"] = b"\x89PNG\r\n\x1a\nnot a picture"
    if n == 7:
        members["cam.bin"] = np.full(36, np.nan, "<f4").tobytes()


def test_training_skips_and_counts_damaged_samples(tmp_path: Path) -> None:
    source = feed(write(tmp_path, spoil), batch=2, tolerate_damage=True)
    seen_names = set(chain(*stream(source, 10)))
    assert len(seen_names) == COUNT - 2
    assert sorted(source.damaged) == [3, 7]
    assert "0000003: a damaged sample: 1.png cannot be decoded" in source.damaged[3]
    assert "cam.bin holds NaN" in source.damaged[7]


def skips(source: PairFeed, count: int) -> list[int]:
    """The number of skipped samples after each of the next batches."""
    counts = []
    for _ in range(count):
        next(source)
        counts.append(source.skipped)
    return counts


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_restored_feed_counts_and_logs_each_damaged_sample_once(
    stop: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"batch": 2, "tolerate_damage": True}
    write(tmp_path, spoil)
    undisturbed = skips(feed(tmp_path, **options), 10)
    assert undisturbed == sorted(undisturbed) and undisturbed[-1] == 2
    assert caplog.text.count("pairs-000000.tar:0000003: a damaged sample: 1.png cannot") == 1
    assert caplog.text.count("pairs-000001.tar:0000007: a damaged sample: cam.bin holds") == 1

    caplog.clear()
    before, after = feed(tmp_path, **options), feed(tmp_path, **options)
    counts = skips(before, stop)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert [*counts, *skips(after, 10 - stop)] == undisturbed
    assert caplog.text.count("a damaged sample") == 2


def test_a_damaged_sample_counts_from_its_turn_on(tmp_path: Path) -> None:
    """It may be known before: batches are prepared ahead."""
    source = feed(write(tmp_path, spoil), batch=2, shuffle=False, tolerate_damage=True)
    assert skips(source, 6) == [0, 1, 1, 2, 2, 2]


def test_ranks_count_their_own_damaged_samples(tmp_path: Path) -> None:
    write(tmp_path, spoil)
    ranks = [
        feed(tmp_path, batch=1, rank=rank, world=2, shuffle=False, tolerate_damage=True)
        for rank in (0, 1)
    ]
    assert [skips(rank, 5)[-1] for rank in ranks] == [0, 2]


def shrunk(members: Members) -> None:
    half = replace(pair(1, 2), images=tuple(i[: SIDE // 2] for i in pair(1, 2).images))
    half = replace(half, depths=tuple(d[: SIDE // 2] for d in half.depths))
    members |= encode(half, picture="png")


def eight_bits(members: Members) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((SIDE, SIDE), 200, np.uint8)).save(stream, "PNG")
    members["1.depth.png"] = stream.getvalue()


# What DALI would decode, scale and hand out as if nothing were wrong.
SILENT: dict[str, tuple[Callable[[Members], object], str]] = {
    "missing member": (lambda members: members.pop("2.depth.png"), "2.depth.png is missing"),
    "wrong size": (shrunk, "its images are 32x64, the manifest says 64x64"),
    "8-bit depth": (eight_bits, "1.depth.png has mode L, expected I;16"),
}


@pytest.mark.parametrize("damage", SILENT)
@pytest.mark.parametrize("augmentation", [None, AUGMENTATION])
def test_damage_that_would_decode_is_noticed(
    damage: str, augmentation: Augmentation | None, tmp_path: Path
) -> None:
    change, message = SILENT[damage]
    write(tmp_path, lambda n, members: change(members) if n == 3 else None)
    source = feed(tmp_path, batch=2, augmentation=augmentation, tolerate_damage=True)
    for _ in range(5):
        next(source)
    assert list(source.damaged) == [3]
    assert message in source.damaged[3]
    with pytest.raises(DustError, match=message):
        list(feed(tmp_path, shuffle=False, last_batch="partial"))


def test_evaluation_stops_at_a_damaged_sample(tmp_path: Path) -> None:
    source = feed(write(tmp_path, spoil), shuffle=False, last_batch="partial")
    with pytest.raises(DustError, match=r"pairs-000000\.tar:0000003: a damaged sample: 1\.png"):
        list(source)


def test_a_truncated_shard_is_one_message(tmp_path: Path) -> None:
    write(tmp_path, lambda n, members: None)
    tar = tmp_path / "pairs-000000.tar"
    tar.write_bytes(tar.read_bytes()[:5000])
    with pytest.raises(
        DustError, match=r"pairs-000000\.tar: the tar cannot be read: it has no end"
    ):
        list(feed(tmp_path, shuffle=False, last_batch="partial"))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["dali", "decoded"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pairs-000001.tar", r"pairs-000001\.tar: its SHA-256 is \w+, the manifest says"),
        ("pairs-000001.idx", r"pairs-000001\.idx: the index does not say where"),
    ],
)
def test_a_damaged_shard_ends_a_training_that_tolerates_damaged_samples(
    name: str, message: str, kind: str, tmp_path: Path
) -> None:
    """A bit in a depth or a camera decodes to other numbers, which nothing else notices."""
    write(tmp_path, lambda n, members: None)
    content = (tmp_path / name).read_bytes()
    # A digit of an offset; in the tar a byte in the middle of a picture.
    flip(tmp_path / name, content.index(b"1.png ") + 6 if name.endswith("idx") else 5000)
    with pytest.raises(DustError, match=message) as caught:
        if kind == "decoded":
            decoded_shards(tmp_path)
        else:
            stream(feed(tmp_path, batch=2, tolerate_damage=True), 10)
    assert caught.value.fix == "fetch it again, or write it anew"


def test_shards_are_proven_once_in_a_process(tmp_path: Path) -> None:
    write(tmp_path, lambda n, members: None)
    before = store._prove.cache_info().misses
    for _ in range(3):
        list(feed(tmp_path, shuffle=False, last_batch="partial"))
    assert store._prove.cache_info().misses - before == 3
    index = tmp_path / "pairs-000001.idx"
    whole = index.read_bytes()
    flip(index, whole.index(b"1.png ") + 6)
    with pytest.raises(DustError, match=r"pairs-000001\.idx: the index does not say where"):
        list(feed(tmp_path, shuffle=False, last_batch="partial"))
    index.write_bytes(whole)
    flip(tmp_path / "pairs-000002.tar", 5000)
    with pytest.raises(DustError, match=r"pairs-000002\.tar: its SHA-256"):
        list(feed(tmp_path, shuffle=False, last_batch="partial"))


@given(st.integers(1, 50), st.integers(1, 8), st.integers(1, 4), st.integers(0, 20))
def test_ranks_partition_the_stream(count: int, batch: int, world: int, position: int) -> None:
    options = {"seed": 1, "shuffle": True}
    together = indices(position, batch * world, count, rank=0, world=1, **options)
    apart = [
        indices(position, batch, count, rank=rank, world=world, **options) for rank in range(world)
    ]
    assert [index for group in zip(*apart, strict=True) for index in group] == together


@given(
    start=st.tuples(st.floats(0, 200), st.floats(0, 200)),
    size=st.tuples(st.floats(50, 300), st.floats(50, 300)),
    side=st.integers(32, 512),
    mirror=st.integers(0, 1),
    pixel=st.tuples(st.floats(-50, 600), st.floats(-50, 600)),
)
def test_intrinsics_follow_a_cut_exactly(
    start: tuple[float, float],
    size: tuple[float, float],
    side: int,
    mirror: int,
    pixel: tuple[float, float],
) -> None:
    k = np.array([[300.0, 0, 250], [0, 310, 260], [0, 0, 1]])
    adjustment = Adjustment(start, (start[0] + size[0], start[1] + size[1]), mirror)
    x, y = pixel
    point = np.linalg.inv(k) @ [x, y, 1]
    if mirror:
        point[0] *= -1
    moved = cut_intrinsics(k, adjustment, side) @ point
    # Pixel edges, not centres, are what a cut scales: the first pixel spans -0.5 to 0.5.
    scaled = (x + 0.5 - start[1]) / size[1] * side - 0.5
    assert moved[0] == pytest.approx(side - 1 - scaled if mirror else scaled, abs=1e-6)
    assert moved[1] == pytest.approx((y + 0.5 - start[0]) / size[0] * side - 0.5, abs=1e-6)
