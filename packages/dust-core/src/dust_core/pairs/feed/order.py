"""Which sample comes when, and how it is augmented: functions of seed and position alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dust_core.pairs.geometry import Floats


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Bounds of the joint augmentation of a pair; geometry stays exact.

    Crops keep the image's shape and centre: neither a principal point off the centre nor
    pixels that are not square can be seen in a picture, and a pointmap depends on both.

    Attributes:
        smallest_crop: the smallest side of a crop, as a share of the image's.
        flip: the probability of mirroring both views.
        brightness, contrast, saturation: the largest change, as a factor, of either view.
    """

    smallest_crop: float
    flip: float
    brightness: float
    contrast: float
    saturation: float


@dataclass(frozen=True)
class View:
    """How one view is cut and coloured; without augmentation the whole view as it is.

    Attributes:
        start, end: (row, column) of the crop's edges in pixels; the first pixel spans 0 to 1.
        mirror: 1 mirrors left and right.
        brightness, contrast, saturation: factors.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    mirror: int = 0
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


def indices(
    position: int, batch: int, count: int, *, seed: int, rank: int, world: int, shuffle: bool
) -> list[int]:
    """The samples of one rank's batch number `position` of an endless stream.

    The ranks' batches of one position are disjoint and together are what one rank would read with
    a batch `world` times as large. Each pass over the set has its own order.
    """
    first = position * batch * world
    found = []
    for place in range(first + rank, first + batch * world, world):
        turn, offset = divmod(place, count)
        found.append(int(_permutation(turn, count, seed)[offset]) if shuffle else offset)
    return found


def draw_views(
    bounds: Augmentation, size: tuple[int, int], *, seed: int, place: int
) -> tuple[View, View]:
    """The two views of the sample at a place of the stream; the mirror is common to both."""
    rng = np.random.default_rng([seed, 1, place])
    mirror = int(rng.random() < bounds.flip)
    views = []
    for _ in range(2):
        sides = np.array(size) * rng.uniform(bounds.smallest_crop, 1)
        start = (np.array(size) - sides) / 2
        end = start + sides
        views.append(
            View(
                (float(start[0]), float(start[1])),
                (float(end[0]), float(end[1])),
                mirror,
                _factor(rng, bounds.brightness),
                _factor(rng, bounds.contrast),
                _factor(rng, bounds.saturation),
            )
        )
    return views[0], views[1]


def cut_intrinsics(intrinsics: Floats, view: View, side: int) -> Floats:
    """K (3, 3) of a view after it is cut, scaled to `side` x `side` and mirrored."""
    k = intrinsics.astype(np.float64)
    for axis, index in ((0, 1), (1, 0)):  # row 0 of K is x, which runs along columns
        scale = side / (view.end[index] - view.start[index])
        k[axis] *= scale
        k[axis, 2] = (intrinsics[axis, 2] + 0.5 - view.start[index]) * scale - 0.5
    if view.mirror:
        k[0, 1] *= -1
        k[0, 2] = side - 1 - k[0, 2]
    return k


def mirror_pose(pose: Floats) -> Floats:
    """The pose between two views that were both mirrored."""
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    return np.asarray(mirror @ pose @ mirror)


def _factor(rng: np.random.Generator, most: float) -> float:
    return float(np.exp(rng.uniform(-1, 1) * np.log(most)))


@lru_cache(maxsize=2)  # a batch lies in one turn or in two
def _permutation(turn: int, count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 0, turn]).permutation(count)
