"""A user's photographs: read from files or a video, turned upright, and brought to an image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.framing import Mode, Placement, place, place_native
from dust_core.pairs.geometry import Floats
from dust_core.pairs.pictures.colours import Opaque
from dust_core.pairs.pictures.formats import HEAD, VIDEO, format_of, kind_of, names
from dust_core.pairs.pictures.masks import Masks, read_mask
from dust_core.pairs.pictures.read import Picture, read_picture
from dust_core.pairs.pictures.video import is_video, read_video
from dust_core.pairs.shards.sample import network_input
from dust_core.visible import in_one_line

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


@dataclass(frozen=True)
class Chosen:
    """The pictures among files.

    Attributes:
        paths: the pictures, by name.
        left_out: the names of the others, each with the reason.
    """

    paths: list[Path]
    left_out: dict[str, str] = field(default_factory=dict)


def find_photographs(sources: Sequence[Path]) -> Chosen:
    """The pictures and videos that a user names: files, patterns, and what is directly in folders.

    They are told by their content; hidden files of a folder do not count.

    Raises:
        DustError: a name stands for nothing, or they are fewer than two pictures.
    """
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            inside = (path for path in source.iterdir() if path.is_file())
            files += sorted((path for path in inside if path.name[0] != "."), key=natural_key)
        elif source.is_file():
            files.append(source)
        else:
            matched = sorted(_matching(source), key=natural_key)
            if not matched:
                raise DustError(
                    "no such folder, picture or video",
                    where=str(source),
                    fix="name a folder of photographs, pictures, a pattern, or a video",
                )
            files += matched
    _require_several(files)
    chosen = choose_pictures(dict.fromkeys(files))
    if len(chosen.paths) < 2 and not any(map(is_video, chosen.paths)):
        raise too_few(len(chosen.paths), sources, chosen.left_out)
    return chosen


def _require_several(files: Sequence[Path]) -> None:
    """Refuse one picture that is named several times, which is a slip of the keyboard."""
    if len(files) > 1 and len({path.resolve() for path in files}) == 1:
        raise DustError(
            f"the same picture, {len(files)} times; a scene needs two views of one place",
            where=str(files[0]),
            fix="name another picture beside it",
        )


def _matching(pattern: Path) -> list[Path]:
    """The files whose path matches a pattern that no shell has replaced."""
    start = Path(pattern.anchor or ".")
    try:
        matched = list(start.glob(str(pattern.relative_to(pattern.anchor))))
    except (ValueError, NotImplementedError):  # no pattern that Python knows
        return []
    return [path for path in matched if path.is_file()]


def choose_pictures(files: Iterable[Path]) -> Chosen:
    """The pictures among files, told by their content."""
    paths, left_out = [], {}
    for path in files:
        try:
            with path.open("rb") as stream:
                head = stream.read(HEAD)
        except OSError as error:
            left_out[path.name] = f"cannot be read: {error.strerror}"
            continue
        if format_of(head) is None and kind_of(head) != VIDEO:
            left_out[path.name] = kind_of(head)
        else:
            paths.append(path)
    return Chosen(paths, left_out)


def too_few(count: int, sources: Sequence[Path], left_out: dict[str, str]) -> DustError:
    """The error that a scene needs more pictures than there are."""
    reasons = "; ".join(left_out_lines(left_out))
    return DustError(
        f"{count} photographs, at least 2 are needed" + (f" ({reasons})" if reasons else ""),
        where=", ".join(map(str, sources)),
        fix=f"give pictures of one place ({names()})",
    )


def left_out_lines(left_out: Mapping[str, str]) -> list[str]:
    """What was left out, in a line for each reason, with three names at the most."""
    all_namesby_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        all_namesby_reason.setdefault(reason, []).append(name)
    return [f"left out, {reason}: {_some(named)}" for reason, named in all_namesby_reason.items()]


def remark_lines(photographs: Sequence[Photograph]) -> list[str]:
    """What was assumed in reading photographs, in a line for each remark."""
    all_namesby_remark: dict[str, list[str]] = {}
    for photograph in photographs:
        for remark in photograph.remarks:
            all_namesby_remark.setdefault(remark, []).append(photograph.name)
    return [f"{_some(named)}: {remark}" for remark, named in all_namesby_remark.items()]


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(map(in_one_line, items[:3])) + more


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
