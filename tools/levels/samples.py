"""A pair as the files of one sample of a pair shard."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
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

LICENCE = "GPL-2.0-or-later"


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How samples are written: large and exact, or small.

    Attributes:
        picture: the format of colour; depth is always a 16-bit PNG.
        jpeg_quality: 1 ... 95; of no effect on PNG.
        depth_unit_m: the step of stored depth, metres.
        png_effort: 0 ... 9, how long to look for a smaller PNG.
    """

    picture: Picture = "jpg"
    jpeg_quality: int = 95
    depth_unit_m: float = 0.001
    png_effort: int = 3


def encode(
    pair: Pair, storage: Storage, *, gain: float, scene: str, names: Sequence[str], split: Split
) -> dict[str, bytes]:
    """The members of one sample, by suffix and in the order of a pair shard.

    Args:
        gain: the exposure of both views.
        scene: the level, game/map.
        names: what the two images are called; an image that is in several pairs has one name.
    """
    both = (pair.first, pair.second)
    members = {
        f"{index}.{storage.picture}": _picture(expose(view.colour, gain), storage)
        for index, view in enumerate(both, 1)
    }
    for index, view in enumerate(both, 1):
        members[f"{index}.depth.png"] = _depth(view.depth, storage)
    members["cam.bin"] = _cameras(*both, storage.depth_unit_m)
    about = {
        "scene": scene,
        "images": list(names),
        "split": split,
        "depth_unit_m": storage.depth_unit_m,
        "covisibility": round(pair.covisibility, 4),
        "source": f"rendered from the level {scene}",
        "licence": LICENCE,
    }
    members["json"] = json.dumps(about).encode()
    return members


def _picture(colour: NDArray[np.uint8], storage: Storage) -> bytes:
    stream = io.BytesIO()
    if storage.picture == "jpg":
        quality = storage.jpeg_quality
        Image.fromarray(colour).save(stream, "JPEG", quality=quality, optimize=True)
    else:
        Image.fromarray(colour).save(stream, "PNG", compress_level=storage.png_effort)
    return stream.getvalue()


def _depth(depth_m: NDArray[np.float32], storage: Storage) -> bytes:
    """Depth as a 16-bit PNG; 0 where there is none, or where it is beyond what 16 bits hold."""
    steps = np.rint(np.where(depth_m < FARTHEST_M, depth_m, 0) / storage.depth_unit_m)
    stream = io.BytesIO()
    depth = Image.fromarray(steps.astype(np.uint16))
    depth.save(stream, "PNG", compress_level=storage.png_effort)
    return stream.getvalue()


def _cameras(first: View, second: View, depth_unit_m: float) -> bytes:
    """36 little-endian float32: K1, K2, the pose of view 2 in view 1, both units of depth."""
    return (
        np.concatenate(
            [
                first.camera.intrinsics(first.size).ravel(),
                second.camera.intrinsics(second.size).ravel(),
                first_from_second(first.camera, second.camera).ravel(),
                [depth_unit_m, depth_unit_m],
            ]
        )
        .astype("<f4")
        .tobytes()
    )
