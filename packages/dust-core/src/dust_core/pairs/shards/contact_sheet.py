"""A contact sheet that shows the geometry: what is off can be seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.pairs.geometry import Floats, seen, warp
from dust_core.pairs.shards.sample import PairSample

Colour = NDArray[np.uint8]


def contact_sheet(samples: Sequence[PairSample], side: int = 224) -> Image.Image:
    """One row a pair: view 1, view 2, their depths, and view 2's colours warped into view 1.

    Where the geometry is right the last picture is view 1 again, black where view 2 does not see.
    """
    rows = [
        np.concatenate([_scaled(tile, side) for tile in _tiles(sample)], axis=1)
        for sample in samples
    ]
    return Image.fromarray(np.concatenate(rows, axis=0))


def depth_picture(depth: Floats, like: Floats | None = None) -> Colour:
    """Depth (H, W) in colours, near bright and far dark on a logarithmic scale; unknown is grey.

    The scale spans the depths of `like`, or else the map's own.
    """
    from matplotlib import colormaps

    known = depth > 0
    reference = depth[known] if like is None else like[like > 0]
    if not known.any() or not reference.size:
        return np.full((*depth.shape, 3), 128, np.uint8)
    logarithm = np.log(np.where(known, depth, 1))
    low, high = np.percentile(np.log(reference), [2, 98])
    share = np.clip((logarithm - low) / max(high - low, 1e-6), 0, 1)
    picture: NDArray[Any] = colormaps["turbo"](1 - share)[..., :3]
    return np.where(known[..., None], 255 * picture, 128).astype(np.uint8)


def warped_view(sample: PairSample) -> Colour:
    """View 2's colours at the pixels of view 1 that it sees."""
    depth_1, depth_2 = sample.depths
    warped = warp(depth_1, *sample.intrinsics, sample.view1_from_view2, depth_2.shape[:2])
    visible = seen(warped, depth_2)
    target = warped.pixels_1[visible]
    source = np.rint(warped.pixels_2[visible]).astype(np.int64)
    picture = np.zeros_like(sample.images[0])
    picture[target[:, 1], target[:, 0]] = sample.images[1][source[:, 1], source[:, 0]]
    return picture


def _tiles(sample: PairSample) -> list[Colour]:
    depths = [depth_picture(depth) for depth in sample.depths]
    return [*sample.images, *depths, warped_view(sample)]


def _scaled(picture: Colour, side: int) -> Colour:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.zeros((side, side, 3), np.uint8)
    scaled = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    canvas[: size[1], : size[0]] = scaled
    return canvas
