"""The distortion of lenses, and how it is taken out of pictures and depth.

The models are OpenCV's: radial and tangential with up to eight coefficients, and the fisheye with
four. Source: https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats

_STEPS = 64  # of a ray, and of the edge of a picture, at which a lens is tried
_LARGEST_ZOOM = 2.0
_HALVINGS = 12
# As a share of the focal length: a lens model must not move what it places by less.
_MINIMAL_GROWTH = 1e-3

Maps = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Lens:
    """The distortion of a lens.

    Attributes:
        kind: `radial` (k1, k2, p1, p2, k3, k4, k5, k6) or `fisheye` (k1, k2, k3, k4).
        coefficients: in the order of OpenCV; those left out are 0.
    """

    kind: Literal["radial", "fisheye"]
    coefficients: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(f'{number:g}' for number in self.coefficients)}"


def lens_or_none(
    kind: Literal["radial", "fisheye"], coefficients: Floats, where: str
) -> Lens | None:
    """The lens of these coefficients; None if it is a pinhole.

    Raises:
        DustError: a coefficient is not finite.
    """
    if not np.isfinite(coefficients).all():
        raise DustError(
            f"the distortion is not finite: {coefficients}", where=where, fix="calibrate again"
        )
    # A fisheye without coefficients still bends rays.
    if kind == "radial" and not coefficients.any():
        return None
    return Lens(kind, tuple(map(float, coefficients)))


def without_distortion(lens: Lens, source: Floats, size: tuple[int, int], where: str) -> Floats:
    """The (3, 3) of a picture of `size`, width and height, once its distortion is taken out.

    The focal length stays where the whole new picture is seen in the old one. Otherwise it grows
    until it is, at most to the double; what is not seen then is black and of unknown depth.

    Raises:
        DustError: the model folds the picture onto itself, so it is no lens of this picture.
    """
    key = (lens, tuple(map(float, np.ravel(source))), size)
    zoom, folds = _zoom(*key)
    if folds:
        raise DustError(
            f"the distortion ({lens}) folds the picture onto itself",
            where=where,
            fix="check the coefficients, their order and the intrinsics",
        )
    return _zoomed(source, zoom)


def straighten(
    image: NDArray[np.uint8], depth: Floats, lens: Lens, source: Floats, straight: Floats
) -> tuple[NDArray[np.uint8], Floats]:
    """A picture (H, W, 3) and its depth (H, W) without distortion: colours between pixels, depth
    of the nearest."""
    import cv2

    size = (image.shape[1], image.shape[0])
    maps = _maps(lens, tuple(map(float, source.ravel())), tuple(map(float, straight.ravel())), size)
    colours = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    nearest = cv2.remap(
        np.asarray(depth, np.float32), *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(colours, np.uint8), np.asarray(nearest, np.float32)


@lru_cache(maxsize=64)
def _zoom(lens: Lens, numbers: tuple[float, ...], size: tuple[int, int]) -> tuple[float, bool]:
    """By how much the focal length grows, and whether the model folds the new picture."""
    source = np.reshape(numbers, (3, 3))
    inside = [1.0, _LARGEST_ZOOM]
    if _sees_all(lens, source, size, 1.0):
        inside[1] = 1.0
    elif _sees_all(lens, source, size, _LARGEST_ZOOM):
        for _ in range(_HALVINGS):
            middle = sum(inside) / 2
            inside[_sees_all(lens, source, size, middle)] = middle
    else:
        inside[1] = 1.0
    return inside[1], _folds(lens, source, size, inside[1])


@lru_cache(maxsize=4)
def _maps(
    lens: Lens, source: tuple[float, ...], straight: tuple[float, ...], size: tuple[int, int]
) -> Maps:
    import cv2

    cameras = [np.reshape(numbers, (3, 3)) for numbers in (source, straight)]
    coefficients = np.array(lens.coefficients)
    make: Any = (
        cv2.initUndistortRectifyMap
        if lens.kind == "radial"
        else cv2.fisheye.initUndistortRectifyMap
    )
    first, second = make(cameras[0], coefficients, np.eye(3), cameras[1], size, cv2.CV_32FC1)
    return first, second


def _zoomed(source: Floats, zoom: float) -> Floats:
    straight = np.array(source, np.float64)
    straight[0, :2] *= zoom
    straight[1, 1] *= zoom
    return straight


def _distorted(lens: Lens, source: Floats, rays: Floats) -> Floats:
    """Pixels (N, 2) of the rays (N, 2) at z = 1."""
    import cv2

    points = np.concatenate([rays, np.ones((len(rays), 1))], 1)[:, None].astype(np.float64)
    still, coefficients = np.zeros(3), np.array(lens.coefficients)
    if lens.kind == "radial":
        return np.asarray(cv2.projectPoints(points, still, still, source, coefficients)[0][:, 0])
    return np.asarray(
        cv2.fisheye.projectPoints(points, still[None], still[None], source, coefficients)[0][:, 0]
    )


def _sees_all(lens: Lens, source: Floats, size: tuple[int, int], zoom: float) -> bool:
    """Whether the edge of the new picture lies in the old one."""
    edge = np.array(size) - 1
    along = np.linspace(0, 1, _STEPS)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    sides = [a + along[:, None] * (b - a) for a, b in pairwise(corners)]
    pixels = np.concatenate(sides) * edge
    rays = (np.linalg.inv(_zoomed(source, zoom)) @ np.c_[pixels, np.ones(len(pixels))].T).T
    seen = _distorted(lens, source, rays[:, :2])
    return bool(((seen >= -0.5) & (seen <= edge + 0.5)).all())


def _folds(lens: Lens, source: Floats, size: tuple[int, int], zoom: float) -> bool:
    """Whether a ray that is further out falls nearer to the centre, towards any corner."""
    inverse = np.linalg.inv(_zoomed(source, zoom))
    share = np.linspace(0, 1, _STEPS)[1:, None]
    for corner in ((0, 0), (size[0] - 1, 0), (0, size[1] - 1), (size[0] - 1, size[1] - 1)):
        ray = (inverse @ [*corner, 1.0])[:2]
        pixels = _distorted(lens, source, share * ray) - source[:2, 2]
        reach = np.linalg.norm(pixels / [source[0, 0], source[1, 1]], axis=1)
        growth = np.diff(reach) / max(float(np.linalg.norm(ray)) / _STEPS, 1e-12)
        if not np.isfinite(reach).all() or (growth < _MINIMAL_GROWTH).any():
            return True
    return False
