"""The feed from decoded pixels gives what DALI's feed gives."""

import json
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from dust_core.errors import DustError
from dust_core.pairs.decoded import (
    DecodedManifest,
    create_decoded,
    finish_decoded,
    is_decoded,
    open_decoded,
    read_decoded_manifest,
)
from dust_core.pairs.feed.decoded import DecodedFeed, decoded_shards
from dust_core.pairs.feed.feed import FeedOptions, PairFeed
from dust_core.pairs.feed.open import open_pairs, scenes_of
from dust_core.pairs.feed.order import Augmentation
from dust_core.pairs.shards.sample import PairSample, encode
from dust_core.pairs.shards.tars import write_shards

SIDE, PAIRS = 64, 5
BOUNDS = Augmentation(smallest_crop=0.8, flip=0.5, brightness=1.2, contrast=1.1, saturation=1.2)


def smooth(seed: int) -> PairSample:
    """Pictures without edges: both ways to interpolate agree on them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    images = tuple(
        np.stack([60 + 120 * (x * a + y * (1 - a)) for a in rng.random(3)], -1).astype(np.uint8)
        for _ in range(2)
    )
    depths = tuple((1 + y + seed).astype(np.float32) for _ in range(2))
    k = np.array([[50, 0, 31.5], [0, 50, 31.5], [0, 0, 1]], np.float32)
    pose = np.eye(4, dtype=np.float32)
    pose[:3, 3] = rng.random(3)
    about = {"scene": f"room/{seed}", "images": ["a", "b"], "split": "training", "source": "made"}
    return PairSample(images, depths, (k, k), pose, {**about, "covisibility": 0.5, "licence": "m"})


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    samples = [encode(smooth(seed), picture="png") for seed in range(PAIRS)]
    write_shards(samples, folder, split="training", licence="made", pairs_per_shard=3)
    return folder


@pytest.fixture
def decoded(shards: Path, tmp_path: Path) -> Path:
    pairs = decoded_shards(shards)
    manifest = DecodedManifest(
        split="training", licence="made", pairs=PAIRS, scenes=tuple(sorted(scenes_of(shards))),
        side=SIDE, depth_unit_m=float(pairs.units[0, 0]), made_of={"poses.npz": "0" * 64},
    )  # fmt: skip
    target = create_decoded(tmp_path, manifest)
    for name in ("images", "depth", "intrinsics", "poses"):
        getattr(target, name)[:] = getattr(pairs, name)
    assert not is_decoded(tmp_path), "a set without its manifest is not finished"
    finish_decoded(tmp_path, manifest)
    return tmp_path


@pytest.mark.parametrize("side", [64, 32, 16])
@pytest.mark.parametrize("augmentation", [None, BOUNDS])
def test_it_gives_what_dali_gives(shards, decoded, side, augmentation):
    options = FeedOptions(batch=3, side=side, augmentation=augmentation, seed=7)
    theirs = PairFeed(shards, options)
    ours = open_pairs(decoded, options, torch.device("cpu"))
    for batch, expected in islice(zip(ours, theirs, strict=True), 4):
        for name in ("intrinsics1", "intrinsics2", "view1_from_view2"):
            torch.testing.assert_close(getattr(batch, name), getattr(expected, name))
        for name in ("image1", "image2"):
            difference = (getattr(batch, name) - getattr(expected, name)).abs() * 127.5
            assert difference.mean() < 1.5 and difference.max() < 8
        for name in ("depth1", "depth2"):
            difference = (getattr(batch, name) - getattr(expected, name)).abs()
            # Where a pixel's centre lies between two, either is the nearest.
            assert difference.max() <= 1.5 / SIDE and difference.mean() < 0.01
    ours.close()
    theirs.close()


def test_it_goes_on_from_a_saved_position(decoded):
    options = FeedOptions(batch=2, side=32, augmentation=BOUNDS)
    whole, resumed = (open_pairs(decoded, options, torch.device("cpu")) for _ in range(2))
    batches = list(islice(whole, 5))
    resumed.load_state_dict({"position": 3, "damaged": {}})
    for batch, expected in zip(islice(resumed, 2), batches[3:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, expected, strict=True))


def test_a_single_pass_ends_with_what_is_left(decoded):
    options = FeedOptions(batch=2, side=64, shuffle=False, last_batch="partial")
    feed = open_pairs(decoded, options, torch.device("cpu"))
    assert [len(batch.image1) for batch in feed] == [2, 2, 1]
    ranks = [
        FeedOptions(batch=1, side=64, shuffle=False, last_batch="partial", rank=rank, world=2)
        for rank in (0, 1)
    ]
    assert [sum(1 for _ in DecodedFeed(open_decoded(decoded), o)) for o in ranks] == [3, 2]


def test_depth_beyond_32_metres_keeps_its_value(decoded):
    depth = np.load(decoded / "depth.npy", mmap_mode="r+")
    depth[0, 0], depth[0, 1] = 65_000, 0
    depth.flush()
    finish_decoded(decoded, read_decoded_manifest(decoded))
    options = FeedOptions(batch=1, side=64, shuffle=False)
    batch = next(DecodedFeed(open_decoded(decoded), options))
    assert batch.depth1.unique().tolist() == [pytest.approx(65.0)]
    assert batch.depth2.unique().tolist() == [0]


def as_a_pipe(name):
    def spoil(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def with_header(text):
    """Another header of the poses, as long as it was."""

    def spoil(folder):
        content = (folder / "poses.npy").read_bytes()
        (folder / "poses.npy").write_bytes(content[:10] + text.ljust(117) + b"\n" + content[128:])

    return spoil


def with_value(**values):
    def spoil(folder):
        content = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(content | values))

    return spoil


def flipped(name):
    def spoil(folder):
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)

    return spoil


HEADER = b"{'descr': '%s', 'fortran_order': False, 'shape': (%s, 4, 4), }"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (flipped("images.npy"), "images.npy: .* has other bytes than sums.json says"),
        (flipped("poses.npy"), "poses.npy: .* has other bytes than sums.json says"),
        (lambda folder: (folder / "sums.json").write_text("[" * 200_000), "no readable sum"),
        (as_a_pipe("sums.json"), "no readable sum: .*no regular file"),
        (as_a_pipe("depth.npy"), "depth.npy.*no regular file"),
        (as_a_pipe("manifest.json"), "manifest.json.*no regular file"),
        (with_header(HEADER % (b"<f4", b"10" * 9)), "poses.npy.*cannot be read"),
        (with_header(HEADER % (b"<f4", b"-3")), "poses.npy.*cannot be read"),
        (with_header(HEADER % (b"|O", b"5")), "poses.npy.*Python objects"),
        (with_header(b"(" * 100), "poses.npy.*cannot be read"),
        (with_header(b"__import__('os').abort()"), "poses.npy.*cannot be read"),
        (
            lambda folder: np.save(folder / "poses.npy", np.array([{}] * 80), allow_pickle=True),
            "poses.npy.*cannot be read",
        ),
        (lambda folder: os.truncate(folder / "images.npy", 5000), "it has 5,000 bytes"),
        (with_value(pairs=10**18), "not the manifest of a decoded set: pairs: "),
        (with_value(side=10**9), "not the manifest of a decoded set: side: "),
        (with_value(depth_unit_m=float("nan")), "not the manifest .*: depth_unit_m: "),
        (with_value(scenes="abc"), "not the manifest of a decoded set: scenes: "),
        (lambda folder: (folder / "depth.npy").unlink(), "depth.npy.*cannot be read"),
        (lambda folder: np.save(folder / "poses.npy", np.zeros((2, 4, 4), "<f4")), "manifest says"),
        (lambda folder: (folder / "images.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
        (
            lambda folder: (folder / "manifest.json").write_text(
                json.dumps({"format": "dust/decoded/v1", "pairs": 3})
            ),
            "not the manifest of a decoded set",
        ),
    ],
)
def test_a_damaged_set_is_one_message(decoded, spoil, message):
    spoil(decoded)
    with pytest.raises(DustError, match=message) as caught:
        open_decoded(decoded)
    assert "levels draw" in str(caught.value.fix)


def test_a_set_of_an_earlier_version_has_no_sums(decoded):
    (decoded / "sums.json").unlink()
    assert len(open_decoded(decoded)) == PAIRS
