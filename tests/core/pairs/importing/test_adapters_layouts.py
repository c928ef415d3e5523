"""Every layout, imported from a miniature whose truth is known, and from real photographs."""

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import adapter_room as room
import numpy as np
import pytest
from adapter_room import MINIATURES, Miniature
from data_set_rooms import DATA_SETS

from dust_core.pairs.importing.commands import import_
from dust_core.pairs.shards.check import check_set, pair_errors
from dust_core.pairs.shards.manifest import read_manifest
from dust_core.pairs.shards.reader import read_samples

SIDE = 64
REAL = Path(os.environ.get("DUST_REAL_DIR", "nowhere"))
"""A folder of real photographs: `shelf` of 7-Scenes, `motorcycle` of Middlebury 2014."""


@pytest.mark.parametrize("mode", ["crop", "letterbox"])
@pytest.mark.parametrize("make", [*MINIATURES, *DATA_SETS], ids=lambda make: make.__name__)
def test_images_depths_and_cameras_are_those_of_the_room(
    make: Callable[[Path], Miniature], mode: str, tmp_path: Path
) -> None:
    made = make(tmp_path / "set")
    into = tmp_path / "shards"
    import_(
        made.layout, made.source, into, side=SIDE, mode=mode, picture="png",
        max_overlap=1.0, pairs_per_frame=9, **made.options,
    )  # fmt: skip
    samples = list(read_samples(into))
    pairs = {tuple(sample.about["images"]) for sample in samples}
    assert pairs == set(combinations(made.poses, 2))
    assert read_manifest(into).scenes == (made.scene,)
    for sample in samples:
        poses = [made.poses[name] for name in sample.about["images"]]
        between = np.linalg.inv(poses[0]) @ poses[1]
        np.testing.assert_allclose(sample.view1_from_view2, between, atol=1e-3)
        for image, depth, k, pose in zip(
            sample.images, sample.depths, sample.intrinsics, poses, strict=True
        ):
            colours, truth = room.view(pose, k, (SIDE, SIDE))
            known = depth > 0
            assert known.mean() > (0.6 if mode == "letterbox" else 0.85)
            error = np.abs(depth / truth - 1)[known]
            assert np.median(error) < 0.005
            assert (error < 0.1).mean() > 0.97
            assert np.median(np.abs(image.astype(float) - colours)[known]) < 2.5
        errors = pair_errors(sample)
        assert errors.geometric < 0.01
        assert errors.photometric < 8
        assert errors.covisible > 0.3
    assert check_set(into).faults == []


def test_unregistered_depth_without_reprojection_is_wrong(tmp_path: Path) -> None:
    """What the option is for: the same files, read as if depth were registered, do not even fit."""
    made = room.seven_scenes_unregistered(tmp_path / "set")
    with pytest.raises(Exception, match="the image is 96x72, its depth 160x120"):
        import_(made.layout, made.source, tmp_path / "shards", side=SIDE)


def test_a_mask_takes_depth_away(tmp_path: Path) -> None:
    made = room.manifest_json(tmp_path / "set")
    import_(
        "manifest", made.source, tmp_path / "shards", side=96, mode="letterbox", max_overlap=1.0
    )
    sample = next(read_samples(tmp_path / "shards"))
    assert not sample.depths[0][:, :5].any()
    assert sample.depths[0][40, 5:].all()


@pytest.mark.skipif(not (REAL / "shelf").is_dir(), reason="DUST_REAL_DIR has no such photographs")
def test_a_real_recording_of_7_scenes(tmp_path: Path) -> None:
    import_("7-scenes", REAL / "shelf", tmp_path, min_overlap=0.1, pairs_per_frame=4)
    report = check_set(tmp_path)
    assert report.faults == []
    assert report.pairs == 10  # every two of the five frames
    shares = [sample.about["covisibility"] for sample in read_samples(tmp_path)]
    assert 0.1 < min(shares) < max(shares) < 0.45
    # Sensor noise and hand-held exposure; a pose inverted by mistake overlaps by nothing at all.
    assert report.median("geometric") < 0.01
    assert report.median("photometric") < 20


@pytest.mark.skipif(
    not (REAL / "motorcycle").is_dir(), reason="DUST_REAL_DIR has no such photographs"
)
def test_a_real_stereo_pair_of_middlebury(tmp_path: Path) -> None:
    folder = tmp_path / "motorcycle"
    folder.mkdir()
    for name, copy in (
        ("left.png", "im0.png"),
        ("right.png", "im1.png"),
        ("disp.npz", "disp0.npz"),
    ):
        (folder / copy).write_bytes((REAL / "motorcycle" / f"motorcycle_{name}").read_bytes())
    (folder / "calib.txt").write_text(
        "cam0=[994.978 0 311.193; 0 994.978 254.877; 0 0 1]\n"
        "cam1=[994.978 0 342.279; 0 994.978 254.877; 0 0 1]\n"
        "doffs=31.086\nbaseline=193.001\nwidth=741\nheight=500\n"
    )
    import_("middlebury", tmp_path, tmp_path / "shards", picture="png")
    report = check_set(tmp_path / "shards")
    assert report.faults == []
    assert report.pairs == 1
    assert report.median("geometric") < 0.003
    assert report.median("photometric") < 6
