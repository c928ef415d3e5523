"""The exposure of a view, and the test whether it is worth keeping."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from levels.glsl import FARTHEST_M
from levels.render import Rendering

_MAX_VOID = 0.001
_MAX_INSIDE_OUT = 0.002
_MIN_KNOWN = 0.6
_NEAREST_M = 0.3
_MIN_MEDIAN_M = 1.2
_MIN_DETAIL = 2.5
_MIN_RELIEF = 0.1


def exposure(views: Sequence[Rendering]) -> float:
    """One gain for pictures of one place, so that a surface looks alike in all of them.

    It brings the 90th percentile of brightness, without sky, to 80 % of white, by a factor of
    0.5 ... 3, similar to a camera.
    """
    return gain([(view.colour, view.depth > 0) for view in views])


def gain(pictures: Sequence[tuple[NDArray[np.uint8], NDArray[np.bool_]]]) -> float:
    """`exposure` of pictures (S, S, 3) and masks (S, S) of where they show no sky."""
    bright = np.concatenate([_brightness(_some(c))[_some(known)] for c, known in pictures])
    if len(bright) == 0:
        return 1.0
    return float(np.clip(0.8 * 255 / max(float(np.percentile(bright, 90)) / 3, 1.0), 0.5, 3.0))


def _brightness(colour: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(H, W) the sum of red, green and blue; in whole numbers, which is quick."""
    total = colour[..., 0].astype(np.uint16)
    total += colour[..., 1]
    total += colour[..., 2]
    return total


def expose(colour: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """`colour` (..., 3) times `gain`, rounded and clipped to white."""
    return np.asarray(exposed_values(gain)[colour])


def exposed_values(gain: float) -> NDArray[np.uint8]:
    """(256,) what `expose` makes of each value."""
    return np.asarray(np.clip(np.rint(np.arange(256) * gain), 0, 255), dtype=np.uint8)


def _some(pixels: NDArray[Any]) -> NDArray[Any]:
    """About a hundred rows and columns: enough to tell how bright a picture is."""
    step = max(1, len(pixels) // 96)
    return pixels[::step, ::step]


def fault(view: Rendering) -> str:
    """The reason why the view is not worth keeping, or nothing if it is.

    It works on small previews too: all measures are shares, percentiles and means.
    """
    known = view.depth[view.depth > 0]
    reachable = (view.depth > 0) & (view.depth < FARTHEST_M)
    if view.void > _MAX_VOID:
        return "it looks out of the level through a hole"
    if view.inside_out > _MAX_INSIDE_OUT:
        return "it looks at the back of a wall: the camera is inside of something"
    if reachable.mean() < _MIN_KNOWN:
        return "most of it is sky"
    if np.percentile(known, 2) < _NEAREST_M or np.median(known) < _MIN_MEDIAN_M:
        return "a wall in the face"
    if detail(view) < _MIN_DETAIL:
        return "bare or dark surfaces"
    if relief(view) < _MIN_RELIEF:
        return "one flat wall"
    return ""


def detail(view: Rendering) -> float:
    """Mean absolute difference of neighbouring pixels, of 255, after exposure, sky aside."""
    grey = expose(view.colour, exposure([view])).mean(axis=2)
    known = view.depth > 0
    across = np.abs(np.diff(grey, axis=1))[known[:, 1:] & known[:, :-1]]
    along = np.abs(np.diff(grey, axis=0))[known[1:] & known[:-1]]
    both = np.concatenate([across, along])
    return float(both.mean()) if len(both) else 0.0


def colourfulness(view: Rendering) -> float:
    """How much hue varies over the view: the spread of red and blue against green, of 255."""
    red, green, blue = np.moveaxis(view.colour[view.depth > 0].astype(np.float32), -1, 0)
    return float((np.std(red - green) + np.std(blue - green)) / 2) if len(red) else 0.0


def relief(view: Rendering) -> float:
    """The deviation of the view from a plane, in whose picture 1/depth is affine in the pixels.

    Returns:
        The root mean square residual of the best plane, relative to the mean of 1/depth.
    """
    rows, columns = np.nonzero(view.depth > 0)
    if len(rows) < 3:
        return 0.0
    inverse = 1.0 / view.depth[rows, columns].astype(np.float64)
    affine = np.stack([rows, columns, np.ones(len(rows))], axis=1) / view.size
    plane = np.linalg.lstsq(affine, inverse, rcond=None)[0]
    return float(np.sqrt(np.mean((affine @ plane - inverse) ** 2)) / inverse.mean())
