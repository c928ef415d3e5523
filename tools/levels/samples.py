"""A pair of views as one sample of a pair shard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dust_core.pairs.shards.sample import Members, PairSample
from dust_core.pairs.shards.sample import encode as encode_sample
from levels.camera import first_from_second
from levels.glsl import FARTHEST_M
from levels.photo import expose
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
        png_effort: 0 ... 9, the effort to make PNGs smaller.
    """

    picture: Picture = "jpg"
    jpeg_quality: int = 95
    depth_unit_m: float = 0.001
    png_effort: int = 3


def encode(
    pair: Pair, storage: Storage, *, gain: float, scene: str, names: Sequence[str], split: Split
) -> Members:
    """The members of one sample.

    Args:
        gain: the exposure of both views.
        scene: the level, game/map.
        names: the names of the two images; an image in several pairs has one name.
    """
    first, second = pair.first, pair.second
    sample = PairSample(
        images=(expose(first.colour, gain), expose(second.colour, gain)),
        depths=(
            np.where(first.depth < FARTHEST_M, first.depth, np.float32(0)),
            np.where(second.depth < FARTHEST_M, second.depth, np.float32(0)),
        ),
        intrinsics=(first.camera.intrinsics(first.size), second.camera.intrinsics(second.size)),
        view1_from_view2=first_from_second(first.camera, second.camera),
        about={
            "scene": scene,
            "images": list(names),
            "split": split,
            "covisibility": round(pair.covisibility, 4),
            "source": f"rendered from the level {scene}",
            "licence": LICENCE,
        },
    )
    return encode_sample(
        sample,
        depth_unit_m=storage.depth_unit_m,
        picture=storage.picture,
        quality=storage.jpeg_quality,
        png_effort=storage.png_effort,
    )
