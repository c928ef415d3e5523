"""Depth as whole numbers of 16 bits: which step it needs, and what does not fit.

A step holds depth up to 65,535 times its own length, and up to a thousandth of itself from 500
times its length on. So one step holds what is 131 times as far as the nearest depth. `stored` is
the only place that chooses a step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dust_core.pairs.geometry import Floats

DEPTH_UNIT_M = 0.001
"""The step that is taken where it suits the data, metres."""

MOST_STEPS = int(np.iinfo(np.uint16).max)
# Half a step is a thousandth of so many steps.
FINE_STEPS = 500
# The farthest depth comes a little below the largest number, so that a map that was cut off at the
# largest number differs from one that is whole.
_FARTHEST_STEPS = 64_000
COARSEST_STEPS = 50
"""Depth of fewer steps is off by more than a hundredth."""
_SMALLEST_UNIT_M = 1e-37  # as float32 holds it
WIDEST_RATIO = _FARTHEST_STEPS / FINE_STEPS
"""Of the farthest to the nearest depth that one step holds to a thousandth."""


@dataclass(frozen=True)
class StoredDepth:
    """A depth map as it is stored.

    Attributes:
        steps: (H, W) uint16; 0 is unknown.
        unit_m: the length of a step, metres.
        known: pixels whose depth was known.
        lost: those of them that the step cannot hold, far or near.
    """

    steps: NDArray[np.uint16]
    unit_m: float
    known: int
    lost: int

    def metres(self) -> Floats:
        """(H, W) float32, metres, as a reader of the shard gets it."""
        return self.steps.astype(np.float32) * np.float32(self.unit_m)


def stored(depth: Floats, unit_m: float | None = None) -> StoredDepth:
    """Depth (H, W) in metres, 0 where unknown, in steps.

    Args:
        unit_m: the step; None takes the one that the data need, which holds nothing that would be
            off by more than a hundredth.
    """
    known = depth > 0
    if unit_m is None:
        # The camera's numbers are float32: the step that is read is then the step that was used.
        step, fewest = float(np.float32(_unit_for(depth[known]))), COARSEST_STEPS
    else:
        step, fewest = unit_m, 1
    with np.errstate(over="ignore"):
        numbers = np.rint(depth / step)
    fits = known & (numbers >= fewest) & (numbers <= MOST_STEPS)
    steps = np.where(fits, numbers, 0).astype(np.uint16)
    return StoredDepth(steps, step, int(known.sum()), int(known.sum() - fits.sum()))


def _unit_for(depths: Floats) -> float:
    """The step that keeps all depths (N,) to a thousandth, or else as many as one step can."""
    if not depths.size:
        return DEPTH_UNIT_M
    nearest, farthest = float(depths.min()), float(depths.max())
    if farthest > WIDEST_RATIO * nearest:
        ordered = np.sort(depths.ravel().astype(np.float64))
        kept = np.searchsorted(ordered, ordered * WIDEST_RATIO, "right") - np.arange(len(ordered))
        first = int(kept.argmax())
        nearest, farthest = float(ordered[first]), float(ordered[first + kept[first] - 1])
    unit = float(np.clip(DEPTH_UNIT_M, farthest / _FARTHEST_STEPS, nearest / FINE_STEPS))
    return max(unit, _SMALLEST_UNIT_M)
