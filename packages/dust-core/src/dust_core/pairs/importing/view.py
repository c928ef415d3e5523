"""One frame as a shard has it: a square without distortion, its depth in steps, its camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode, place
from dust_core.pairs.importing.adapters.base import Frame
from dust_core.pairs.importing.adapters.files import image_size, read_image
from dust_core.pairs.importing.camera import depth_for, fit
from dust_core.pairs.importing.choose import PosedDepth
from dust_core.pairs.importing.lens import straighten
from dust_core.pairs.shards.depth import StoredDepth, stored


@dataclass(frozen=True)
class View(PosedDepth):
    """A frame that is read.

    Attributes:
        name: the frame's.
        image: (side, side, 3) uint8, RGB.
        stored: its depth; `depth` is what a reader of the shard gets.
        remarks: what was changed or looks wrong.
    """

    name: str
    image: NDArray[np.uint8]
    stored: StoredDepth
    remarks: tuple[str, ...]


def read_view(frame: Frame, side: int, mode: Mode, unit_m: float | None) -> View:
    """Read a frame: its picture, its depth, and the camera that fits them.

    Everything that a frame can fail at happens here, before any pair is chosen.

    Args:
        side: of the square, pixels.
        unit_m: the step of depth; None takes the one that its depth needs.

    Raises:
        DustError: a file is unreadable, sizes disagree, or no depth is known.
    """
    where = str(frame.image)
    size = image_size(frame.image)
    fitted = fit(frame.camera, size, where)
    depth = depth_for(frame.read_depth(), size, frame.depth_scales, where)
    picture = read_image(frame.image)
    if fitted.lens is not None:
        colours, depth = straighten(
            np.asarray(picture), depth, fitted.lens, fitted.source, fitted.intrinsics
        )
        picture = Image.fromarray(colours)
    placement = place(*size, side, mode)
    kept = stored(placement.depth(depth), unit_m)
    if not kept.steps.any():
        raise _without_depth(kept, where)
    return View(
        depth=kept.metres(),
        intrinsics=placement.intrinsics(fitted.intrinsics),
        cam_to_world=frame.cam_to_world,
        name=frame.name,
        image=placement.image(picture),
        stored=kept,
        remarks=fitted.remarks,
    )


def _without_depth(kept: StoredDepth, where: str) -> DustError:
    if not kept.known:
        return DustError(
            "no depth is known in the part that is kept", where=where, fix="leave out the frame"
        )
    return DustError(
        f"none of its depth fits the step of {kept.unit_m:g} m",
        where=where,
        fix="leave out --depth-unit, so that each view gets the step that it needs",
    )
