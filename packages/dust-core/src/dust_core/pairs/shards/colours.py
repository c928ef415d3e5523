"""Whether the stated geometry explains the colours of a set: depth alone cannot tell its unit.

Where the unit of depth is far too large beside that of the poses, the distance between the cameras
vanishes, and the depths of two views agree nearly everywhere. Their colours do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dust_core.pairs.geometry import Floats, Warp

# The share of the colour difference that the warp may leave, in the median over a set's pairs.
# Measured: the workload 0.06, training 0.14, validation and calibration 0.15 (a single pair up to
# 0.31); the rooms of the tests up to 0.13. With noise of 8 of 255 the same sets reach 0.27, and
# 0.33 as a poor sensor has them: noise of 5, colours beside depth by two pixels, depth off by 1 %,
# one view darker by 15 %. They have 0.60 to 1.15, and the tutorial's room 0.76 to 1.10, with a
# length that is wrong by a factor of a thousand, OpenGL's axes, or inverted poses. Not every set
# shows a wrong length: a factor of three, as between feet and metres, gives 0.46 to 0.85, and a
# factor of a thousand 0.38 to 0.64 in these sets at 128 x 128.
MOST_LEFT = 0.5
# A median of fewer pairs says little: a single pair may show water, or one pattern many times.
FEWEST_PAIRS = 3
_FEWEST_PIXELS = 50
# Only views that differ can be explained. Noise and rounding make identical views differ by as much
# as neighbouring pixels of one of them do; three times as much leaves the warp a share of a third
# of pure noise, which is no fault. The other bound is a few grey levels: shading that
# follows the camera, and the steps of JPEG on plain walls.
_DIFFERENT_GRAINS = 3.0
_DIFFERENT = 4.0


@dataclass(frozen=True)
class Colours:
    """How much the colours of a pair differ where both views see a point, of 255.

    A difference is the median over the pixels, after each channel's own median is taken away, so
    that another exposure counts for nothing.

    Attributes:
        warped: between a pixel of view 1 and the pixel of view 2 that shows the same point.
        unwarped: between the same pixel of view 1 and the pixel at its place in view 2.
        grain: between the same pixel of view 1 and its neighbour.
    """

    warped: float
    unwarped: float
    grain: float

    @property
    def differ(self) -> bool:
        """Whether the views differ by more than noise does."""
        return self.unwarped > max(_DIFFERENT, _DIFFERENT_GRAINS * self.grain)


def compare_colours(
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]], warped: Warp, visible: NDArray[np.bool_]
) -> Colours | None:
    """The colours of a pair by a warp of view 1 into view 2; None if too few pixels are visible.

    Args:
        images: (H, W, 3) each, of one size.
        warped: N pixels of view 1 and their places in view 2.
        visible: (N,), which of them view 2 sees.
    """
    if visible.sum() < _FEWEST_PIXELS:
        return None
    columns, rows = warped.pixels_1[visible].T
    columns_2, rows_2 = np.rint(warped.pixels_2[visible]).astype(np.int64).T
    first, second = (image.astype(np.float64) for image in images)
    here = first[rows, columns]
    beside = np.maximum(columns - 1, 0)
    return Colours(
        warped=_difference(here, second[rows_2, columns_2]),
        unwarped=_difference(here, second[rows, columns]),
        grain=_difference(here, first[rows, beside]),
    )


def unexplained(pairs: Sequence[Colours]) -> str:
    """What is wrong with the geometry of a whole set, in words; empty if nothing is.

    Pairs whose views do not differ are not judged.
    """
    judged = [colours for colours in pairs if colours.differ]
    if len(judged) < FEWEST_PAIRS:
        return ""
    left = float(np.median([colours.warped / colours.unwarped for colours in judged]))
    if left <= MOST_LEFT:
        return ""
    warped, unwarped = (
        float(np.median([getattr(colours, name) for colours in judged]))
        for name in ("warped", "unwarped")
    )
    return (
        f"the stated depth and cameras do not explain the pictures: the warp leaves "
        f"{100 * left:.0f} % of the colour difference between two views (medians of {len(judged)} "
        f"pairs: {unwarped:.1f} of 255 without the warp, {warped:.1f} with it). "
        "Check the units (depth and the positions of the cameras are both in metres), "
        "the direction of the poses (camera to world, not world to camera), and their axes "
        "(OpenCV's: x right, y down, z forward; not OpenGL's: y up, z backward)"
    )


def _difference(first: Floats, second: Floats) -> float:
    """The median difference of colours (N, 3), without what all pixels share."""
    difference = first - second
    return float(np.median(np.abs(difference - np.median(difference, 0)).mean(1)))
