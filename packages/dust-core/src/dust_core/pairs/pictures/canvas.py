"""Images of several shapes on one canvas, so that arrays of their pixels can be stacked."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dust_core.pairs.framing import Placement
from dust_core.pairs.pictures.photographs import Photograph


def on_one_canvas(photographs: Sequence[Photograph]) -> list[Photograph]:
    """The same photographs with bars around the smaller ones, as a letterbox has them.

    Their centres are that of the canvas, so a principal point there stays where it is. The sides of
    images differ by whole patches, which are even. Photographs of one shape stay as they are.
    """
    widths, heights = zip(*(photograph.placement.size for photograph in photographs), strict=True)
    canvas = (max(widths), max(heights))
    return [_on(photograph, canvas) for photograph in photographs]


def margins(inner: tuple[int, ...], outer: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """How far, before and after, a shape in the middle of a larger one is from its sides."""
    before = [(large - small) // 2 for small, large in zip(inner, outer, strict=True)]
    return tuple(
        (first, large - small - first)
        for first, small, large in zip(before, inner, outer, strict=True)
    )


def _on(photograph: Photograph, canvas: tuple[int, int]) -> Photograph:
    placement = photograph.placement
    if placement.size == canvas:
        return photograph
    rows, columns = margins(placement.size[::-1], canvas[::-1])
    left, top, *size = placement.place
    place = (left + columns[0], top + rows[0], size[0], size[1])
    return replace(
        photograph,
        placement=Placement(canvas, placement.part, place),
        square=np.pad(photograph.square, (rows, columns, (0, 0))),
        opaque=np.pad(photograph.shown(), (rows, columns)),
    )
