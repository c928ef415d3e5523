"""A pair as the files of one sample of a pair shard."""

import io
import json
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from levels.camera import first_from_second
from levels.photo import FARTHEST_M, expose
from levels.render import View
from levels.sampler import Pair
from levels.splits import Split

Picture = Literal["jpg", "png"]

DEPTH_UNIT_M = 0.001
LICENCE = "GPL-2.0-or-later"

_JPEG_QUALITY = 95
_PNG_EFFORT = 3


def encode(
    pair: Pair, *, gain: float, picture: Picture, scene: str, names: Sequence[str], split: Split
) -> dict[str, bytes]:
    """The members of one sample, by suffix and in the order of a pair shard.

    Args:
        gain: the exposure of both views.
        picture: how colour is stored; depth is always a 16-bit PNG in units of `DEPTH_UNIT_M`.
        scene: the level, game/map.
        names: what the two images are called; an image that is in several pairs has one name.
    """
    both = (pair.first, pair.second)
    members = {
        f"{index}.{picture}": _picture(expose(view.colour, gain), picture)
        for index, view in enumerate(both, 1)
    }
    for index, view in enumerate(both, 1):
        members[f"{index}.depth.png"] = _depth(view.depth)
    members["cam.bin"] = _cameras(*both)
    about = {
        "scene": scene,
        "images": list(names),
        "split": split,
        "depth_unit_m": DEPTH_UNIT_M,
        "covisibility": round(pair.covisibility, 4),
        "source": f"rendered from the level {scene}",
        "licence": LICENCE,
    }
    members["json"] = json.dumps(about).encode()
    return members


def _picture(colour: NDArray[np.uint8], picture: Picture) -> bytes:
    stream = io.BytesIO()
    if picture == "jpg":
        Image.fromarray(colour).save(stream, "JPEG", quality=_JPEG_QUALITY)
    else:
        Image.fromarray(colour).save(stream, "PNG", compress_level=9)
    return stream.getvalue()


def _depth(depth_m: NDArray[np.float32]) -> bytes:
    """Depth as a 16-bit PNG; 0 where there is none, or where it is beyond what 16 bits hold."""
    steps = np.rint(np.where(depth_m < FARTHEST_M, depth_m, 0) / DEPTH_UNIT_M)
    stream = io.BytesIO()
    Image.fromarray(steps.astype(np.uint16)).save(stream, "PNG", compress_level=_PNG_EFFORT)
    return stream.getvalue()


def _cameras(first: View, second: View) -> bytes:
    """36 little-endian float32: K1, K2, the pose of view 2 in view 1, both units of depth."""
    return (
        np.concatenate(
            [
                first.camera.intrinsics(first.size).ravel(),
                second.camera.intrinsics(second.size).ravel(),
                first_from_second(first.camera, second.camera).ravel(),
                [DEPTH_UNIT_M, DEPTH_UNIT_M],
            ]
        )
        .astype("<f4")
        .tobytes()
    )
