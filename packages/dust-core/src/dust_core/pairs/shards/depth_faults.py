"""What is wrong with depth as it is stored, told by its numbers alone."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dust_core.pairs.geometry import Floats
from dust_core.pairs.shards.depth import COARSEST_STEPS, MOST_STEPS

# Depth that ends at the largest number, with pixels of unknown depth beside it, was cut off there.
_NEAR_MOST_STEPS = 0.98 * MOST_STEPS
_CUT_SHARE = 0.001
# A few walls that face the camera have as few depths, and no steps between them.
_FEWEST_DEPTHS = 8
# In a small picture neighbouring pixels of a slanted wall are as far apart as coarse steps are, but
# lie on a plane; rounded depths are off it by about half a step. Only a wall that changes by just
# a step a pixel cannot be told from steps.
_BY_SURFACES = 1 / 16


def faults_of_depth(depth: Floats, unit_m: float) -> Iterator[str]:
    """What is wrong with a depth map (H, W) in metres, stored in steps of `unit_m`, in words.

    It is a fault if no depth is known, if steps lie further apart than a fiftieth of the depths,
    or if they end at the farthest that the steps reach.
    """
    known = depth > 0
    if not known.any():
        yield "has no known depth"
        return
    steps = np.rint(depth / unit_m)
    apart = _apart(steps[known])
    if apart > 1 / COARSEST_STEPS and _off_planes(depth) > _BY_SURFACES * apart:
        yield f"is coarse: its depths are {100 * apart:.2g} % apart in the median"
    cut = (steps >= _NEAR_MOST_STEPS) & _beside(~known)
    share = max(cut.mean(), (steps >= MOST_STEPS).mean())
    if share > _CUT_SHARE:
        yield (
            f"is cut off: {100 * share:.1f} % of its pixels are at {unit_m * MOST_STEPS:.4g} m, "
            f"the farthest that steps of {unit_m:g} m reach, and what lies behind is lost"
        )


def _apart(steps: Floats) -> float:
    """How far the depths (N,) are from the nearest different ones, a fraction, in the median."""
    values, counts = np.unique(steps, return_counts=True)
    fewest = 1 / float(np.median(steps))
    if len(values) < _FEWEST_DEPTHS:
        return fewest
    gaps = np.diff(values)
    nearest = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf)) / values
    order = np.argsort(nearest)
    middle = np.searchsorted(np.cumsum(counts[order]), counts.sum() / 2)
    return max(fewest, float(nearest[order][middle]))


def _off_planes(depth: Floats) -> float:
    """How far depths (H, W) are from the plane through the pixels on both sides, a fraction, in the
    median of those where something changes; infinite where nothing does.

    Along a line of the picture, one over the depth of a plane changes evenly.
    """
    off = []
    for lines in (depth, depth.T):
        before, middle, after = (
            lines[:-2].astype(np.float64),
            lines[1:-1].astype(np.float64),
            lines[2:].astype(np.float64),
        )
        known = (before > 0) & (middle > 0) & (after > 0)
        changing = known & ((before != middle) | (after != middle))
        even = (1 / before[changing] + 1 / after[changing]) / 2
        off.append(np.abs(middle[changing] * even - 1))
    together = np.concatenate(off)
    return float(np.median(together)) if together.size else float("inf")


def _beside(unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels (H, W) beside an unknown one, above, below, left or right."""
    beside = np.zeros_like(unknown)
    beside[1:] |= unknown[:-1]
    beside[:-1] |= unknown[1:]
    beside[:, 1:] |= unknown[:, :-1]
    beside[:, :-1] |= unknown[:, 1:]
    return beside
