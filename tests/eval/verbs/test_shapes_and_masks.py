"""Pictures in their own shape, and masks, in `dust predict` and `dust reconstruct`."""

import json
import os
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import torch
from calls import dust
from PIL import Image

from dust_core.network.checkpoint import load_checkpoint
from dust_core.pairs.pictures.chosen import Chosen
from dust_core.pairs.pictures.photographs import Photograph, Shape, read_photographs

SIDE = 64


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures of 100x75: at 64 pixels, 64x48."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "b", "c"):
        save(folder / f"{name}.png", rng.integers(1, 255, (75, 100, 3), np.uint8))
    return folder


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture).save(path)


def common(models: Path, out: Path, *more: object) -> tuple[object, ...]:
    sure = ("--min-confidence", "1.0", "--side", SIDE)
    return ("--model", models / "model.pth", "--out", out, *sure, *more)


@pytest.mark.parametrize("upright", [False, True])
def test_a_pair_keeps_its_shape(
    pictures: Path, models: Path, tmp_path: Path, upright: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if upright:
        for path in pictures.iterdir():
            with Image.open(path) as picture:
                turned = picture.transpose(Image.Transpose.ROTATE_90)
            turned.save(path)
    two, size = (pictures / "a.png", pictures / "b.png"), (48, 64) if upright else (64, 48)
    assert dust("predict", *two, *common(models, tmp_path / "out", "--aspect", "native")) == 0
    assert f"pixels of the {size[0]}x{size[1]} image" in capsys.readouterr().out
    facts = json.loads((tmp_path / "out" / "prediction.json").read_text())
    (camera, _) = facts["cameras"]
    assert (camera["network_width"], camera["network_height"]) == size
    # All of the picture is seen: its corners are the image's.
    moved = np.array(camera["square_from_photograph"]) @ [-0.5, -0.5, 1]
    np.testing.assert_allclose(moved, [-0.5, -0.5, 1], atol=1e-9)
    centre = (np.array([camera["width"], camera["height"]]) - 1) / 2
    np.testing.assert_allclose(np.array(camera["K"])[:2, 2], centre, atol=1e-9)
    assert facts["points"] > 1.9 * size[0] * size[1]
    raw = np.load(tmp_path / "out" / "prediction.npz")
    assert raw["points"].shape == (2, *size[::-1], 3)
    with Image.open(tmp_path / "out" / "depth_B.png") as picture:
        assert picture.size == size


def test_a_scene_keeps_its_shape_in_every_file(
    pictures: Path, models: Path, tmp_path: Path
) -> None:
    more = ("--aspect", "native", "--export", "colmap")
    assert dust("reconstruct", pictures, *common(models, tmp_path / "out", *more)) == 0
    model = pycolmap.Reconstruction(str(tmp_path / "out" / "colmap" / "sparse" / "0"))
    assert {(c.width, c.height, *c.params[2:]) for c in model.cameras.values()} == {
        (64, 48, 32.0, 24.0)
    }
    for path in (tmp_path / "out" / "colmap" / "images").iterdir():
        with Image.open(path) as picture:
            assert picture.size == (64, 48)
    cameras = json.loads((tmp_path / "out" / "cameras.json").read_text())["cameras"]
    np.testing.assert_allclose([c["K"][1][2] for c in cameras], 37, atol=1e-9)


def test_a_landscape_and_a_portrait_are_a_pair(
    pictures: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(pictures / "d.png", np.random.default_rng(1).integers(1, 255, (100, 75, 3), np.uint8))
    options = common(models, tmp_path / "out", "--aspect", "native")
    assert dust("predict", pictures / "a.png", pictures / "d.png", *options) == 0
    assert "pixels of the 64x48 and 48x64 images" in capsys.readouterr().out
    facts = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert facts["points"] == pytest.approx(2 * 64 * 48, rel=0.01), "bars are no points"
    raw = np.load(tmp_path / "out" / "prediction.npz")
    assert raw["points"].shape == (2, 64, 64, 3)
    first, second = raw["confidences"]
    assert (first[:8] == 1).all() and (first[8:56] > 1).all() and (first[56:] == 1).all()
    assert (second[:, :8] == 1).all() and (second[:, 8:56] > 1).all()
    network = load_checkpoint(models / "model.pth").network
    images = [
        torch.from_numpy(_photograph_of(pictures / f"{name}.png").tensor()) for name in ("a", "d")
    ]
    with torch.inference_mode():
        expected = network(*images)
    np.testing.assert_allclose(raw["points"][0, 8:56], expected.pts3d_1[0], atol=1e-5)
    np.testing.assert_allclose(raw["points"][1, :, 8:56], expected.pts3d_2[0], atol=1e-5)
    centres = np.array([camera["K"] for camera in facts["cameras"]])[:, :2, 2]
    np.testing.assert_allclose(centres, [[49.5, 37], [37, 49.5]], atol=1e-9)
    assert dust("predict", pictures, *options) == 0
    pairs = json.loads((tmp_path / "out" / "pairs.json").read_text())["pairs"]
    assert len(pairs) == 3


def _photograph_of(path: Path) -> Photograph:
    shape = Shape(SIDE, patch=16)
    photographs, _ = read_photographs(Chosen([path, path]), shape)
    return photographs[0]


def test_a_scene_of_two_shapes_has_bars_that_are_no_points(
    pictures: Path, models: Path, tmp_path: Path
) -> None:
    save(pictures / "d.png", np.random.default_rng(1).integers(1, 255, (100, 75, 3), np.uint8))
    more = ("--aspect", "native", "--export", "colmap")
    assert dust("reconstruct", pictures, *common(models, tmp_path / "out", *more)) == 0
    header = (tmp_path / "out" / "cloud.ply").read_bytes()[:200].decode(errors="ignore")
    assert f"element vertex {4 * 64 * 48}" in header
    model = pycolmap.Reconstruction(str(tmp_path / "out" / "colmap" / "sparse" / "0"))
    assert {(c.width, c.height) for c in model.cameras.values()} == {(64, 64)}
    masks = sorted((tmp_path / "out" / "colmap" / "masks").iterdir())
    assert len(masks) == 4
    with Image.open(masks[3]) as mask:
        assert (np.asarray(mask) > 0).sum() == 64 * 48


def test_a_graph_and_a_letterbox_refuse_the_native_shape(
    pictures: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("predict", "reconstruct"):
        given = (pictures, "--model", models / "model.onnx", "--out", tmp_path / "out")
        assert dust(verb, *given, "--aspect", "native") == 2
        message = " ".join(capsys.readouterr().err.split())
        assert "takes images of 64x64, and no other" in message and "omit --aspect" in message
    options = common(models, tmp_path / "out", "--aspect", "native", "--mode", "letterbox")
    assert dust("predict", pictures, *options) == 2
    assert "--mode letterbox makes squares" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.png", "a.png.png", "a.jpg"])
@pytest.mark.parametrize("white", [1, 255])
def test_what_a_mask_has_black_is_no_point(
    pictures: Path,
    models: Path,
    tmp_path: Path,
    name: str,
    white: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mask = np.zeros((75, 100), np.uint8)
    mask[:, 50:] = white  # the picture's right half
    save(tmp_path / "masks" / name.replace("jpg", "bmp"), mask)
    save(tmp_path / "masks" / "b.png", np.full((150, 200), white, np.uint8))
    options = common(models, tmp_path / "out", "--masks", tmp_path / "masks")
    assert dust("predict", pictures, *options, "--aspect", "native") == 0
    first = json.loads((tmp_path / "out" / "1_a_b" / "prediction.json").read_text())["points"]
    assert first == pytest.approx(1.5 * 64 * 48, rel=0.02)
    confidences = np.load(tmp_path / "out" / "1_a_b" / "prediction.npz")["confidences"]
    assert (confidences[0, :, :31] == 1).all() and (confidences[0, :, 33:] > 1).mean() > 0.9
    assert "c.png: no mask has its name, so all of it is kept" in capsys.readouterr().out
    assert dust("reconstruct", pictures, *options, "--export", "colmap") == 0
    with Image.open(tmp_path / "out" / "colmap" / "masks" / "000001_a.png.png") as stored:
        values = np.asarray(stored)
    assert (values[:, :31] == 0).all() and (values[:, 33:] == 255).all()


def test_masks_that_cannot_be_used_are_named(
    pictures: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks, two = tmp_path / "masks", (pictures / "a.png", pictures / "b.png")
    options = common(models, tmp_path / "out", "--masks", masks)

    def message() -> str:
        assert dust("predict", *two, *options) == 2
        return " ".join(capsys.readouterr().err.split())

    assert "no such folder of masks" in message()
    masks.mkdir()
    assert "no picture is in the folder of masks" in message()
    save(masks / "x.png", np.full((75, 100), 255, np.uint8))
    assert "no mask has the name of a picture, such as a.png" in message()
    save(masks / "a.png", np.full((100, 100), 255, np.uint8))
    assert "the mask is 100x100, its picture 100x75" in message()
    save(masks / "a.png", np.zeros((75, 100), np.uint8))
    assert "the mask is black and leaves nothing of its picture" in message()
    assert dust("predict", pictures, *options) == 0
    assert "left out, the mask is black" in " ".join(capsys.readouterr().out.split())
    assert dust("predict", pictures, *options, "--strict") == 2


NAMES = [b"\xff\xfea.png", b"b\x1b[31m\n.png", "c\u202e{name}%s$x.png".encode()]


@pytest.mark.parametrize("verb", ["predict", "reconstruct"])
def test_pictures_may_have_any_names(
    pictures: Path, models: Path, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, name in zip(sorted(pictures.iterdir()), NAMES, strict=True):
        path.rename(pictures / os.fsdecode(name))
    (pictures / "d\x1b[2J.txt").write_text("no picture")
    model = tmp_path / "m[bold]{name}%s$x[.pth"
    model.symlink_to(models / "model.pth")
    options = ("--model", model, "--out", tmp_path / "o\udcff", "--min-confidence", "1.0")
    more = ("--export", "colmap") if verb == "reconstruct" else ()
    assert dust(verb, pictures, *options, "--side", SIDE, *more) == 0
    printed = capsys.readouterr()
    assert "d\\x1b[2J.txt" in printed.out and "o\\xff" in printed.out
    assert "\x1b" not in printed.out + printed.err
    page = next((tmp_path / "o\udcff").rglob("index.html")).read_text()
    assert "\\xff\\xfea.png" in page and "m[bold]{name}%s$x[.pth" in page
    facts = next((tmp_path / "o\udcff").rglob("*.json")).read_text()
    assert json.dumps(os.fsdecode(NAMES[0])) in facts, "other programs find the picture"
    if verb == "reconstruct":
        model = pycolmap.Reconstruction(str(tmp_path / "o\udcff" / "colmap" / "sparse" / "0"))
        names = {image.name for image in model.images.values()}
        assert names == {f.name for f in (tmp_path / "o\udcff" / "colmap" / "images").iterdir()}
