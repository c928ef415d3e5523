"""Masks beside photographs: pictures of the same name that are black where nothing is wanted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.pictures.formats import HEAD, format_of
from dust_core.pairs.pictures.read import read_picture


@dataclass(frozen=True)
class Masks:
    """The masks of a folder.

    Attributes:
        by_name: paths by the name of the file.
        by_stem: paths by that name without its last suffix.
    """

    by_name: dict[str, Path]
    by_stem: dict[str, Path]

    def of(self, name: str) -> Path | None:
        """The mask of a picture of that name.

        For `a.jpg` it is `a.jpg`, else `a.jpg.png` (as COLMAP names masks), else `a.png`.
        """
        stems = self.by_stem
        return self.by_name.get(name) or stems.get(name) or stems.get(Path(name).stem)


def find_masks(folder: Path) -> Masks:
    """The pictures directly in a folder, told by their content.

    Raises:
        DustError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DustError("no such folder of masks", where=str(folder), fix="check the path")
    paths = sorted(filter(_is_picture, folder.iterdir()), key=natural_key)
    if not paths:
        raise DustError(
            "no picture is in the folder of masks", where=str(folder), fix="check the path"
        )
    return Masks({path.name: path for path in paths}, {path.stem: path for path in reversed(paths)})


def _is_picture(path: Path) -> bool:
    if not path.is_file() or path.name.startswith("."):
        return False
    try:
        with path.open("rb") as stream:
            return format_of(stream.read(HEAD)) is not None
    except OSError:
        return True  # reading it as a picture's mask says why it cannot be read


def read_mask(path: Path, size: tuple[int, int]) -> Image.Image:
    """A mask as RGB, white where the photograph is wanted and black elsewhere.

    What is at least half as bright as the mask's brightest pixel is wanted, so masks of 0 and 1
    and of 0 and 255 are alike.

    Args:
        size: width and height of the upright photograph. A mask of its shape and another size is
            for the whole of it.

    Raises:
        DustError: it is no readable picture, has another shape, or leaves nothing.
    """
    picture = read_picture(path)
    scale = picture.size[0] / size[0]
    # The smaller of two sizes of one shape is rounded to whole pixels.
    if abs(picture.size[1] - size[1] * scale) > max(1, scale):
        raise DustError(
            f"the mask is {picture.size[0]}x{picture.size[1]}, its picture {size[0]}x{size[1]}",
            where=str(path),
            fix="make the mask of the upright picture",
        )
    values = np.asarray(picture.image).max(-1)
    if not values.any():
        raise DustError(
            "the mask is black and leaves nothing of its picture",
            where=str(path),
            fix="remove the picture, or make what is wanted white",
        )
    wanted = values >= values.max() / 2
    if picture.opaque is not None:
        wanted &= picture.opaque
    return Image.fromarray(wanted).convert("RGB")
