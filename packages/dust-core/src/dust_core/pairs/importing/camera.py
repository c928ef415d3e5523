"""A recording's camera against the pictures that it took: their size, their lens, their centre.

An adapter states what its data set states. This module alone compares that with a picture, scales
it, or refuses.
"""

from dataclasses import dataclass

from dust_core.errors import DustError
from dust_core.pairs.framing import whole_to
from dust_core.pairs.geometry import Floats, off_centre
from dust_core.pairs.importing.lens import Lens, without_distortion

# Sizes are whole pixels: one that was scaled may be off by so much.
_ROUNDING = 1.0


@dataclass(frozen=True)
class Camera:
    """What a data set states of a camera.

    Attributes:
        intrinsics: (3, 3), pixels, centres at whole numbers.
        size: width and height of the pictures that the intrinsics are for; None where the data set
            does not state it.
        lens: its distortion; None for a pinhole.
    """

    intrinsics: Floats
    size: tuple[int, int] | None = None
    lens: Lens | None = None


@dataclass(frozen=True)
class Fitted:
    """A camera for the pictures at hand.

    Attributes:
        intrinsics: (3, 3) of the picture once `lens` is taken out, pixels.
        source: (3, 3) of the picture as it is, pixels.
        lens: the distortion to take out; None for a pinhole.
        remarks: what was changed or looks wrong, in words that are the same for all such frames.
    """

    intrinsics: Floats
    source: Floats
    lens: Lens | None
    remarks: tuple[str, ...]


def fit(camera: Camera, size: tuple[int, int], where: str) -> Fitted:
    """The camera for a picture of `size`, width and height.

    Raises:
        DustError: the camera is for pictures of another shape.
    """
    remarks = []
    intrinsics = camera.intrinsics
    if camera.size is not None and camera.size != size:
        if not same_shape(camera.size, size):
            raise DustError(
                f"the camera is for pictures of {_by(camera.size)}, the picture is {_by(size)}",
                where=where,
                fix="give the pictures that the camera was calibrated for, or their camera: "
                "pictures that were scaled are taken, cropped or turned pictures are not",
            )
        intrinsics = whole_to(camera.size, size).intrinsics(intrinsics)
        remarks.append(
            f"cameras for {_by(camera.size)} are scaled to the pictures, which are {_by(size)}"
        )
    centre = off_centre(intrinsics, size)
    if centre:
        remarks.append(
            f"warning: the principal point is {centre}; are the intrinsics for this size?"
        )
    if camera.lens is None:
        return Fitted(intrinsics, intrinsics, None, tuple(remarks))
    straight = without_distortion(camera.lens, intrinsics, size, where)
    remarks.append(f"the distortion of the lens ({camera.lens}) is taken out")
    return Fitted(straight, intrinsics, camera.lens, tuple(remarks))


def same_shape(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether one size is the other one scaled, to a pixel."""
    width, height = first
    across, down = second[0] / width, second[1] / height
    return (
        abs(width * down - second[0]) <= _ROUNDING or abs(height * across - second[1]) <= _ROUNDING
    )


def depth_for(depth: Floats, size: tuple[int, int], scales: bool, where: str) -> Floats:
    """A depth map (H, W) as the picture of `size`, width and height, needs it.

    Args:
        scales: a map of another size shows the same view, and the nearest pixel is taken.

    Raises:
        DustError: it has another size, or with `scales` another shape.
    """
    present = (depth.shape[1], depth.shape[0])
    if present == size:
        return depth
    if scales and same_shape(present, size):
        return whole_to(present, size).depth(depth)
    raise DustError(
        f"the image is {_by(size)}, its depth {_by(present)}",
        where=where,
        fix="give depth registered to the image, pixel by pixel",
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
