"""Pictures of every kind become the colours that their maker saw, or are refused by name."""

import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from made import HEIGHT, WIDTH, chunk, orientation, png, profile, saved, tiff, truth
from PIL import Image, ImageOps

from dust_core.errors import DustError
from dust_core.pairs.pictures import picture_size, read_picture
from dust_core.pairs.pictures.photographs import read_photograph

DEEP = truth().astype(np.uint16) * 257
GREY = truth()[..., :1]
PIXELS = Image.fromarray(truth())
pillow_heif.register_heif_opener()


def pixels(path: Path, content: bytes, **options: bool) -> np.ndarray:
    path.write_bytes(content)
    return np.asarray(read_picture(path, **options).image).astype(int)


@pytest.mark.parametrize(
    ("content", "tolerance"),
    [
        (png(DEEP), 0),
        (png(truth().astype(np.uint16) * 16), 1),  # 12 bits in 16
        (png(truth().astype(np.uint16) * 4), 1),  # 10 bits in 16
        (png(np.dstack([DEEP, np.full_like(DEEP[..., 0], 65535)])), 0),
        (tiff(DEEP), 0),
        (tiff((truth() / 255).astype(np.float32)), 0),
        (tiff(truth().astype(np.float32)), 0),
        (saved(PIXELS.convert("RGBA"), "PNG"), 0),
        (saved(PIXELS.convert("CMYK"), "TIFF"), 0),
        (saved(PIXELS.convert("CMYK"), "JPEG", quality=100, subsampling=0), 3),
        (saved(PIXELS, "JPEG", quality=100, subsampling=0), 3),
        (saved(PIXELS, "WEBP", lossless=True), 0),
        (saved(PIXELS, "BMP"), 0),
        (saved(PIXELS, "JPEG2000"), 0),
        (saved(PIXELS, "PPM"), 0),
        (saved(PIXELS, "HEIF", quality=100, chroma=444), 6),
        (saved(PIXELS, "AVIF", quality=100, subsampling="4:4:4"), 6),
        (saved(PIXELS, "PNG", icc_profile=profile("r", "g", "b", b"sRGB by name")), 0),
    ],
)
def test_colours_are_the_same_in_every_kind_of_file(
    tmp_path: Path, content: bytes, tolerance: int
) -> None:
    path = tmp_path / "any name at all.xyz"
    assert np.abs(pixels(path, content) - truth()).max() <= tolerance
    assert picture_size(path) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "content",
    [
        png(GREY.astype(np.uint16) * 257),
        png(GREY.astype(np.uint16) * 16),
        png(GREY.astype(np.uint16) * 64),
        png(np.dstack([GREY.astype(np.uint16) * 257, np.full_like(DEEP[..., 0], 65535)])),
        tiff(GREY.astype(np.uint16) * 257),
        tiff((65535 - GREY.astype(np.uint16) * 257), {262: 0}),  # white is zero
        tiff((GREY / 255).astype(np.float32)),
        tiff(GREY.astype(np.uint32)),
        saved(Image.fromarray(GREY[..., 0]), "PNG"),
    ],
)
def test_grey_of_any_depth_is_the_same_grey(tmp_path: Path, content: bytes) -> None:
    difference = pixels(tmp_path / "a", content) - np.repeat(GREY, 3, 2)
    assert np.abs(difference).max() <= 1


def test_what_had_to_be_assumed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(truth().astype(np.uint16) * 16))
    said = read_picture(path).remarks
    assert said == ("16-bit numbers up to 4,080 are taken for 12 bits",)
    path.write_bytes(png(DEEP))
    assert read_picture(path).remarks == ()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.where(GREY == 255, np.nan, GREY / 255).astype(np.float32), "NaN or infinity"),
        ((GREY / 255 - 1).astype(np.float32), "go down to -1"),
        (GREY.astype(np.uint32) * 10**6, "up to 2.55e\\+08; beyond 65,535"),
    ],
)
def test_numbers_without_a_white_are_refused(
    tmp_path: Path, numbers: np.ndarray, message: str
) -> None:
    with pytest.raises(DustError, match=message):
        pixels(tmp_path / "a.tif", tiff(numbers))


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "deep PNG", "deep TIFF"])
def test_pictures_are_turned_upright_unless_wanted_as_stored(
    tmp_path: Path, value: int, kind: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    content = {
        "JPEG": lambda: saved(PIXELS, "JPEG", quality=100, subsampling=0, exif=exif),
        "PNG": lambda: saved(PIXELS, "PNG", exif=exif),
        "TIFF": lambda: saved(PIXELS, "TIFF", exif=exif),
        "deep PNG": lambda: png(DEEP, (b"eXIf", orientation(value))),
        "deep TIFF": lambda: tiff(DEEP, {274: value}),
    }[kind]()
    turned = PIXELS.copy()
    turned.getexif()[0x0112] = value
    expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    path = tmp_path / "a"
    assert np.abs(pixels(path, content) - expected).max() <= 3
    assert read_picture(path).size == expected.shape[1::-1]
    assert np.abs(pixels(path, content, as_stored=True) - truth()).max() <= 3
    assert picture_size(path) == read_picture(path, as_stored=True).size == (WIDTH, HEIGHT)


def test_a_profile_decides_the_colours(tmp_path: Path) -> None:
    swapped = profile("b", "g", "r")  # its red channel is sRGB's blue, in linear light
    content = saved(PIXELS, "PNG", icc_profile=swapped)
    linear = truth()[..., ::-1] / 255
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(pixels(tmp_path / "a.png", content) - 255 * srgb).max() <= 3
    said = read_picture(tmp_path / "a.png").remarks
    assert said == ("colours are converted from swapped to sRGB",)


@pytest.mark.parametrize("content", [b"", b"no profile", profile("r", "g", "b")[:150]])
def test_a_broken_profile_is_ignored_with_a_word(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    assert (pixels(path, saved(PIXELS, "PNG", icc_profile=content)) == truth()).all()
    said = read_picture(path).remarks
    assert bool(content) == any("colour profile is ignored" in remark for remark in said)


@pytest.mark.parametrize(
    "content",
    [
        png(DEEP, (b"eXIf", b"\0\x08\0\x02\x01\x12\0\x03")),
        saved(PIXELS, "PNG", exif=b"Exif\0\0MM\0\x2b\0\0"),
        saved(PIXELS, "JPEG", quality=100, subsampling=0, exif=b"Exif\0\0XX\0\x2a\0\0\0\x08"),
    ],
)
def test_broken_exif_is_ignored_with_a_word(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    assert np.abs(pixels(path, content) - truth()).max() <= 3
    assert read_picture(path).remarks == ("its EXIF data is broken and is ignored",)


def test_transparent_pixels_are_not_shown_as_points(tmp_path: Path) -> None:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0
    coloured = Image.fromarray(np.dstack([truth(), alpha]))
    palette = PIXELS.quantize(16)
    for content in (
        saved(coloured, "PNG"),
        saved(coloured, "WEBP", lossless=True, exact=True),
        png(np.dstack([DEEP, alpha.astype(np.uint16) * 257])),
        saved(palette, "PNG", transparency=int(np.asarray(palette)[0, 0])),
    ):
        (tmp_path / "a").write_bytes(content)
        photograph = read_photograph(tmp_path / "a", 64)
        hidden = photograph.square[~photograph.shown()]
        assert 0 < (~photograph.shown()).sum() < 64 * 64
        assert np.median(hidden) == 0, "the network sees black there, not what alpha hides"
    assert not read_photograph(tmp_path / "a", 64).shown()[0, 0]
    (tmp_path / "a").write_bytes(saved(Image.new("RGBA", (64, 64), (9, 9, 9, 0)), "PNG"))
    with pytest.raises(DustError, match="wholly transparent"):
        read_picture(tmp_path / "a")


def test_a_huge_picture_is_decoded_reduced_and_keeps_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    PIXELS.resize((10_000, 8000), Image.Resampling.NEAREST).save(path, quality=30)
    picture = read_picture(path)
    assert picture.size == (10_000, 8000) and picture.image.size == (5000, 4000)
    assert "decoded reduced" in picture.remarks[0]
    small = read_photograph(path, 64)
    PIXELS.resize((100, 80), Image.Resampling.NEAREST).save(tmp_path / "b.png")
    expected = read_photograph(tmp_path / "b.png", 64).square.astype(int)
    assert np.abs(small.square - expected).mean() < 4


def damaged_length() -> bytes:
    content = bytearray(png(DEEP))
    content[33:37] = struct.pack(">I", 7)  # of the chunk of pixels
    return bytes(content)


def claiming(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", b"x"), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged_length(), "the chunk IDAT of the PNG is damaged"),
        (saved(PIXELS, "PNG")[:-20], "the PNG is cut off"),
        (saved(PIXELS, "JPEG")[:300], "cannot read the picture"),
        (claiming(60_000), "bytes cannot hold 60000x60000"),
        (b"", "it is an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (saved(PIXELS, "PNG").replace(b"\r\n", b"\n"), "sent as text"),
        (tiff(DEEP, {50706: 0x0401}), "a camera's raw file"),
        (b"%PDF-1.7", "a PDF"),
        (b"a few words", "it is a text"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DustError, match=message):
        read_picture(tmp_path / "a.png")
