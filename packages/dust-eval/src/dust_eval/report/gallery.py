"""Pictures of chosen pairs: the depth of the FP32 network, of the INT8 one, and where they part."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.pairs.shards.contact_sheet import depth_picture
from dust_eval.arrays import Floats
from dust_eval.quality.depth import DELTA1_BOUND, median_scale
from dust_eval.quality.workload import Sample
from dust_eval.runtimes import PairModel

_LARGE, _SMALL = 448, 224  # pixels: of the two depths that a slider joins, and of the others
_QUALITY = 82
_LOST, _WON = (224, 60, 49), (64, 170, 90)

Colour = NDArray[np.uint8]


@dataclass(frozen=True)
class PairPictures:
    """A pair as pictures, each an address with the data in it.

    Attributes:
        name: number, scene and images.
        why: why it was chosen.
        delta1: of FP32 and of INT8, over both views.
        view_1, view_2: the photographs.
        truth, fp32, int8: depth of view 1 in one scale of colours; unknown depth is grey.
        changed: view 1 in grey; red where FP32 alone is within delta1's bound, and green where INT8
            alone is.
        lost, won: the shares of those pixels among the known ones of view 1, in percent.
    """

    name: str
    why: str
    delta1: tuple[float, float]
    view_1: str
    view_2: str
    truth: str
    fp32: str
    int8: str
    changed: str
    lost: float
    won: float


def draw_pairs(
    fp32: PairModel,
    int8: PairModel,
    samples: Mapping[int, Sample],
    chosen: Mapping[int, str],
    delta1: Sequence[tuple[float, float]],
) -> tuple[PairPictures, ...]:
    """Predict the chosen pairs with both networks and draw them.

    Args:
        samples: the chosen pairs by number.
        chosen: number -> why.
        delta1: of FP32 and INT8, of every pair.

    Raises:
        Unscorable: a network predicts nothing in front of the camera.
    """
    drawn = []
    for number, why in chosen.items():
        sample = samples[number]
        depths = [_depth(network, sample) for network in (fp32, int8)]
        drawn.append(_drawn(sample, why, delta1[number], *depths))
    return tuple(drawn)


def _depth(network: PairModel, sample: Sample) -> Floats:
    """Depth (H, W) of view 1, at the scale of the truth."""
    depth = network(*sample.images).pts3d_1[0][..., 2]
    known = sample.truth.depth_1 > 0
    scaled: Floats = depth * median_scale(depth[known], sample.truth.depth_1[known])
    return scaled


def _drawn(
    sample: Sample, why: str, delta1: tuple[float, float], fp32: Floats, int8: Floats
) -> PairPictures:
    truth = sample.truth.depth_1
    known = truth > 0
    view_1, view_2 = (_photograph(image) for image in sample.images)
    good = [_within(depth, truth) for depth in (fp32, int8)]
    lost, won = good[0] & ~good[1] & known, good[1] & ~good[0] & known
    depths = (
        depth_picture(np.where(known, np.maximum(depth, 1e-3), 0), like=truth)
        for depth in (fp32, int8)
    )
    return PairPictures(
        name=sample.name,
        why=why,
        delta1=delta1,
        view_1=address(view_1, _SMALL),
        view_2=address(view_2, _SMALL),
        truth=address(depth_picture(truth), _SMALL),
        **dict(zip(("fp32", "int8"), (address(depth, _LARGE) for depth in depths), strict=True)),
        changed=address(_changes(view_1, lost, won), _SMALL),
        lost=100 * float(lost.sum() / known.sum()),
        won=100 * float(won.sum() / known.sum()),
    )


def _within(depth: Floats, truth: Floats) -> NDArray[np.bool_]:
    """(H, W), where a depth is within delta1's bound of the truth."""
    positive, known = np.maximum(depth, 1e-6), np.where(truth > 0, truth, 1)
    return np.asarray(np.maximum(positive / known, known / positive) < DELTA1_BOUND)


def _photograph(image: Floats) -> Colour:
    return np.asarray(((image[0].transpose(1, 2, 0) + 1) * 127.5).round(), dtype=np.uint8)


def _changes(view: Colour, lost: NDArray[np.bool_], won: NDArray[np.bool_]) -> Colour:
    grey = 60 + 0.6 * view.mean(-1, keepdims=True).repeat(3, -1)
    for mask, colour in ((lost, _LOST), (won, _WON)):
        grey[mask] = colour
    return np.asarray(grey, dtype=np.uint8)


def address(picture: Any, side: int) -> str:
    """A picture (H, W, 3) as the data of a WebP, its longer side at most `side` pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
