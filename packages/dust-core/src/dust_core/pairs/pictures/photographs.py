"""A user's photographs: read from files or a video, turned upright, and brought to an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode, Placement, place, place_native
from dust_core.pairs.geometry import Floats
from dust_core.pairs.pictures.chosen import Chosen, some_names, too_few
from dust_core.pairs.pictures.colours import Opaque
from dust_core.pairs.pictures.masks import Masks, read_mask
from dust_core.pairs.pictures.read import Picture, read_picture
from dust_core.pairs.pictures.video import is_video, read_video
from dust_core.pairs.shards.sample import network_input

_SMALLEST = 32  # pixels: a smaller picture shows nothing that could be matched


@dataclass(frozen=True)
class Photograph:
    """One photograph as the network sees it.

    Attributes:
        name: the name of the file.
        size: width and height once upright.
        placement: from the upright photograph to the network's image.
        square: (H, W, 3) uint8, that image; it is a square unless the shape is native.
        opaque: (H, W), False where the photograph is transparent or masked; None if it is nowhere.
        remarks: what was assumed, converted or ignored in reading it.
    """

    name: str
    size: tuple[int, int]
    placement: Placement
    square: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
    opaque: Opaque | None = None
    remarks: tuple[str, ...] = ()

    def tensor(self) -> Floats:
        """(1, 3, H, W) float32 in [-1, 1]."""
        return network_input(self.square)

    def shown(self) -> Opaque:
        """(H, W), False on the bars of a letterbox and where it is transparent or masked."""
        mask = np.zeros(self.square.shape[:2], np.bool_)
        left, top, width, height = self.placement.place
        mask[top : top + height, left : left + width] = True
        return mask if self.opaque is None else mask & self.opaque


def remark_lines(photographs: Sequence[Photograph]) -> list[str]:
    """What was assumed in reading photographs, in a line for each remark."""
    by_remark: dict[str, list[str]] = {}
    for photograph in photographs:
        for remark in photograph.remarks:
            by_remark.setdefault(remark, []).append(photograph.name)
    return [f"{some_names(named)}: {remark}" for remark, named in by_remark.items()]


@dataclass(frozen=True)
class Shape:
    """What images are made of photographs.

    Attributes:
        side: of the image, in pixels; of a native one, the longer side.
        mode: how a photograph becomes a square.
        patch: the side of the network's patches, where images keep the photographs' shape; None:
            they are squares.
        masks: which parts of photographs are wanted; None: all.
    """

    side: int
    mode: Mode = Mode.CROP
    patch: int | None = None
    masks: Masks | None = None

    def place(self, size: tuple[int, int], where: str) -> Placement:
        """Where a photograph is placed.

        Raises:
            DustError: it is too narrow for the network's patches.
        """
        if self.patch is None:
            return place(*size, self.side, self.mode)
        placement = place_native(*size, self.side, self.patch)
        if placement is None:
            raise DustError(
                f"the picture is {size[0]}x{size[1]}, too narrow for patches of {self.patch}",
                where=where,
                fix="omit --aspect native, or cut the picture",
            )
        return placement


def read_photograph(path: Path, side: int, mode: Mode = Mode.CROP) -> Photograph:
    """Read one photograph, upright as its EXIF orientation says, as a square of `side` pixels.

    Raises:
        DustError: as `read_picture`, or it is too small.
    """
    return _photograph(read_picture(path), path.name, str(path), Shape(side, mode))


def _photograph(picture: Picture, name: str, where: str, shape: Shape) -> Photograph:
    if min(picture.size) < _SMALLEST:
        raise DustError(
            f"the picture is {picture.size[0]}x{picture.size[1]}, at least {_SMALLEST} are needed",
            where=where,
            fix="take a larger picture, or remove this one",
        )
    placement = shape.place(picture.size, where)
    wanted, remarks = [], picture.remarks
    if picture.opaque is not None:
        wanted.append(Image.fromarray(picture.opaque).convert("RGB"))
    if shape.masks is not None:
        mask = shape.masks.of(name)
        if mask is None:
            remarks += ("no mask has its name, so all of it is kept",)
        else:
            wanted.append(read_mask(mask, picture.size))
    opaque = None
    for part in wanted:
        inside = placement.image(part, picture.size)[..., 0] >= 128
        opaque = inside if opaque is None else opaque & inside
    if opaque is not None and not opaque.any():
        raise DustError(
            "nothing is left of the picture: it is masked or transparent",
            where=where,
            fix="remove the picture",
        )
    return Photograph(
        name, picture.size, placement, placement.image(picture.image, picture.size), opaque, remarks
    )


def read_photographs(
    chosen: Chosen, shape: Shape, *, every: int = 1, strict: bool = False
) -> tuple[list[Photograph], dict[str, str]]:
    """Read chosen pictures, and frames of chosen videos; what is damaged is left out.

    Args:
        every: of a video, the first of so many frames is taken.
        strict: whether a damaged picture is an error instead.

    Returns:
        The photographs, and the names of what was left out, each with the reason.

    Raises:
        DustError: fewer than two can be read, or, if strict, one cannot; or there are masks, and
            none has the name of a photograph.
    """
    photographs: list[Photograph] = []
    left_out, fault = dict(chosen.left_out), None
    for path in chosen.paths:
        try:
            if is_video(path):
                frames = read_video(path, every)
                # One by one: those before the damage of a video are kept.
                photographs.extend(_photograph(p, name, name, shape) for name, p in frames)
            else:
                photographs.append(_photograph(read_picture(path), path.name, str(path), shape))
        except DustError as error:
            if strict:
                raise
            left_out[path.name], fault = error.what, error
    if len(photographs) < 2:
        if fault is not None and len(chosen.paths) == 1:
            raise fault
        raise too_few(len(photographs), chosen.paths, left_out)
    masks = shape.masks
    all_names = [*(photograph.name for photograph in photographs), *left_out]
    if masks is not None and not any(map(masks.of, all_names)):
        raise DustError(
            f"no mask has the name of a picture, such as {photographs[0].name}",
            where=", ".join(list(masks.by_name)[:3]),
            fix="name masks as the pictures are named",
        )
    return photographs, left_out
