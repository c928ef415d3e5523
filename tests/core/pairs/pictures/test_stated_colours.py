"""Colours that PNG and HEIC state by numbers."""

import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from dust_core.pairs.pictures import read_picture

pillow_heif.register_heif_opener()


def png(path: Path, colour: tuple[int, int, int], *chunks: tuple[bytes, bytes]) -> Path:
    info = PngImagePlugin.PngInfo()
    for name, content in chunks:
        info.add(name, content)
    Image.new("RGB", (40, 40), colour).save(path, "PNG", pnginfo=info)
    return path


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(100_000 * value))


@pytest.mark.parametrize(
    ("colour", "chunks", "expected", "said"),
    [
        # Half of the light is at 188 in sRGB (IEC 61966-2-1).
        ((128, 0, 255), [gamma(1.0)], (188, 0, 255), "from a gamma of 1 to sRGB"),
        ((128, 9, 255), [gamma(0.45455)], (128, 9, 255), ""),
        ((128, 9, 255), [gamma(1.0), (b"sRGB", b"\0")], (128, 9, 255), ""),
        ((128, 9, 255), [gamma(0.0)], (128, 9, 255), "its gamma of 0 is ignored"),
        ((128, 9, 255), [(b"cICP", bytes([1, 13, 0, 1]))], (128, 9, 255), ""),
        # Display P3 of (230, 100, 80) as colour tools give it in sRGB.
        ((230, 100, 80), [(b"cICP", bytes([12, 13, 0, 1]))], (248, 89, 70), "Display P3 to sRGB"),
        ((100, 100, 100), [(b"cICP", bytes([9, 1, 0, 1]))], (100, 100, 100), "BT.2020 to sRGB"),
        ((128, 9, 255), [(b"cICP", bytes([9, 16, 0, 1]))], (128, 9, 255), "HDR curve (PQ)"),
        ((128, 9, 255), [(b"cICP", bytes([5, 13, 0, 1]))], (128, 9, 255), "primaries 5, curve 13"),
    ],
)
def test_a_png_is_read_as_it_states_its_colours(
    colour: tuple[int, int, int],
    chunks: list[tuple[bytes, bytes]],
    expected: tuple[int, int, int],
    said: str,
    tmp_path: Path,
) -> None:
    picture = read_picture(png(tmp_path / "a.png", colour, *chunks))
    assert np.abs(np.array(picture.image.getpixel((9, 9))) - expected).max() <= 1
    assert said in " ".join(picture.remarks)
    assert bool(picture.remarks) == bool(said)


def test_a_heic_of_wide_primaries_is_converted(tmp_path: Path) -> None:
    for name, primaries, curve in (("wide", 12, 13), ("plain", 1, 13), ("hdr", 9, 18)):
        Image.new("RGB", (64, 64), (200, 120, 100)).save(
            tmp_path / name, "HEIF", quality=-1, save_nclx_profile=True,
            color_primaries=primaries, transfer_characteristics=curve,
        )  # fmt: skip
    wide, plain, hdr = (read_picture(tmp_path / name) for name in ("wide", "plain", "hdr"))
    assert wide.remarks == ("colours are converted from Display P3 to sRGB",)
    assert plain.remarks == ()
    assert hdr.remarks == ("its HDR curve (HLG) is read as sRGB: colours are off",)
    assert wide.image.getpixel((9, 9))[0] - plain.image.getpixel((9, 9))[0] >= 8
