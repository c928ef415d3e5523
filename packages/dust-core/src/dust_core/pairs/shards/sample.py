"""One pair and its members in a shard."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.bounded import parse_json_bounded
from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats, is_rigid
from dust_core.pairs.shards.depth import DEPTH_UNIT_M, stored

Members = dict[str, bytes]

DEPTHS = ("1.depth.png", "2.depth.png")
CAMERAS, ABOUT = "cam.bin", "json"
_CAMERA_NUMBERS = 36
_MAX_SIDE = 8192
_FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class PairSample:
    """A pair as numbers.

    Attributes:
        images: two (H, W, 3) uint8, RGB.
        depths: two (H, W) float32, metres, each in its own camera; 0 is unknown.
        intrinsics: two (3, 3) float32, pixels.
        view1_from_view2: (4, 4) float32, takes points of camera 2 to camera 1, metres.
        about: scene, names of the images, split, covisibility, source, licence; decoded, the units
            of depth as well.
    """

    images: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    depths: tuple[Floats, Floats]
    intrinsics: tuple[Floats, Floats]
    view1_from_view2: Floats
    about: dict[str, Any]


def network_input(image: NDArray[np.uint8]) -> Floats:
    """An RGB picture (H, W, 3) as the network takes it: (1, 3, H, W) float32 in [-1, 1]."""
    planes = image.transpose(2, 0, 1)[None].astype(np.float32)
    return np.ascontiguousarray((planes - 127.5) / 127.5)


def picture_members(members: Members) -> tuple[str, str]:
    """The names of the two pictures, `1.jpg` or `1.png` and the same of view 2."""
    extension = "png" if "1.png" in members else "jpg"
    return f"1.{extension}", f"2.{extension}"


def encode(
    sample: PairSample,
    *,
    depth_unit_m: float | tuple[float, float] = DEPTH_UNIT_M,
    picture: str = "jpg",
    quality: int = 95,
    png_effort: int = 3,
) -> Members:
    """The members of a sample, in the order of a shard.

    Args:
        depth_unit_m: step of the stored depth, or one for each view; depth beyond 65,535 steps is
            stored as unknown.
        picture: `jpg` or `png`.
        quality: of JPEGs, 1 ... 95.
        png_effort: how long to look for smaller PNGs, 0 ... 9.
    """
    members: Members = {}
    for index, image in enumerate(sample.images, 1):
        members[f"{index}.{picture}"] = _write_image(
            Image.fromarray(image), picture, quality, png_effort
        )
    units = depth_unit_m if isinstance(depth_unit_m, tuple) else (depth_unit_m, depth_unit_m)
    for name, depth, unit in zip(DEPTHS, sample.depths, units, strict=True):
        steps = Image.fromarray(stored(depth, unit).steps)
        members[name] = _write_image(steps, "png", quality, png_effort)
    numbers = [*(k.ravel() for k in sample.intrinsics), sample.view1_from_view2.ravel()]
    members[CAMERAS] = np.concatenate([*numbers, units]).astype("<f4").tobytes()
    about = {**sample.about, "depth_unit_m": units[0] if len(set(units)) == 1 else list(units)}
    members[ABOUT] = json.dumps(about, sort_keys=True).encode()
    return members


def decode(members: Members, where: str) -> PairSample:
    """The inverse of `encode`, and the proof that a sample is whole.

    Args:
        where: shard and key, for messages.

    Raises:
        DustError: a member is missing, unreadable, of another size, not finite, or no rigid pose.
    """
    read_size(members, where)
    first, second = (_read_image(members, name, where) for name in picture_members(members))
    depths = [_read_image(members, name, where) for name in DEPTHS]
    cameras = read_cameras(members[CAMERAS], where)
    about = read_about(members, where)
    metres = [d.astype(np.float32) * unit for d, unit in zip(depths, cameras[34:], strict=True)]
    return PairSample(
        images=(first, second),
        depths=(metres[0], metres[1]),
        intrinsics=(cameras[:9].reshape(3, 3), cameras[9:18].reshape(3, 3)),
        view1_from_view2=cameras[18:34].reshape(4, 4),
        about=about,
    )


def read_size(members: Members, where: str) -> tuple[int, int]:
    """Height and width of all pictures of a sample, from their headers alone.

    Raises:
        DustError: a member is missing, or a picture is none, of another kind or of another size.
    """
    pictures = picture_members(members)
    for name in (*pictures, *DEPTHS, CAMERAS, ABOUT):
        if name not in members:
            raise _damaged(f"{name} is missing", where)
    sizes = {}
    for name in (*pictures, *DEPTHS):
        with _opened(members, name, where) as image:
            width, height = image.size
            mode = "I;16" if name in DEPTHS else "RGB"
            if image.mode != mode:
                raise _damaged(f"{name} has mode {image.mode}, expected {mode}", where)
        if max(width, height) > _MAX_SIDE:
            raise _damaged(f"{name} is {height}x{width}, more than {_MAX_SIDE} a side", where)
        sizes[name] = (height, width)
    expected = sizes[pictures[0]]
    for name, (height, width) in sizes.items():
        if (height, width) != expected:
            what = f"{name} is {height}x{width}, {pictures[0]} is {expected[0]}x{expected[1]}"
            raise _damaged(what, where)
    return expected


def require_size(members: Members, size: tuple[int, int], where: str) -> None:
    """Prove from the headers that a sample has all its pictures, of this height and width.

    Raises:
        DustError: as `read_size`, or the pictures are of another size.
    """
    present = read_size(members, where)
    if present != size:
        sizes = f"{present[0]}x{present[1]}, the manifest says {size[0]}x{size[1]}"
        raise _damaged(f"its images are {sizes}", where)


def read_about(members: Members, where: str) -> dict[str, Any]:
    """What a sample's json says of it.

    Raises:
        DustError: it is absent, unreadable, or names no scene.
    """
    try:
        about = parse_json_bounded(members[ABOUT])
        if not isinstance(about["scene"], str):
            raise ValueError("the scene is no text")
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(f"json names no scene: {error}", where) from error
    return dict(about)


def read_cameras(content: bytes, where: str) -> NDArray[np.float32]:
    """The 36 numbers of a sample: K1, K2, the pose of view 2 in view 1, both units of depth.

    Raises:
        DustError: they are not 36 finite numbers, or no cameras.
    """
    if len(content) != 4 * _CAMERA_NUMBERS:
        length = f"{len(content)} bytes, expected {4 * _CAMERA_NUMBERS}"
        raise _damaged(f"{CAMERAS} has {length}", where)
    numbers = np.frombuffer(content, "<f4").astype(np.float32)
    if not np.isfinite(numbers).all():
        raise _damaged(f"{CAMERAS} holds NaN or infinity", where)
    for name, k in (("K1", numbers[:9]), ("K2", numbers[9:18])):
        if k[0] <= 0 or k[4] <= 0 or tuple(k[6:]) != (0, 0, 1):
            raise _damaged(f"{name} is no camera matrix: {k.tolist()}", where)
    if not is_rigid(numbers[18:34].reshape(4, 4)):
        raise _damaged("the pose is no rotation and translation", where)
    if (numbers[34:] <= 0).any():
        raise _damaged(f"the units of depth are {numbers[34:].tolist()}, must be positive", where)
    return numbers


@contextmanager
def _opened(members: Members, name: str, where: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(members[name]), formats=_FORMATS) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(f"{name} cannot be decoded: {error}", where) from error


def _read_image(members: Members, name: str, where: str) -> NDArray[Any]:
    with _opened(members, name, where) as image:
        return np.asarray(image)


def _write_image(image: Image.Image, extension: str, quality: int, png_effort: int) -> bytes:
    stream = io.BytesIO()
    if extension == "jpg":
        image.save(stream, "JPEG", quality=quality)
    else:
        image.save(stream, "PNG", compress_level=png_effort)
    return stream.getvalue()


def _damaged(what: str, where: str) -> DustError:
    return DustError(
        f"a damaged sample: {what}",
        where=where,
        fix="fetch the set again, or write it anew",
        exit_code=1,
    )
