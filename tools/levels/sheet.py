"""Contact sheets of levels, to decide which to render."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dust_core.errors import DustError
from dust_core.files import atomic_path
from levels.library import Library
from levels.photo import colourfulness, detail, expose, exposure, relief
from levels.render import Renderer, Rendering
from levels.sampler import Sampler

_CAPTION = 14


def write_sheet(
    library: Library, names: Sequence[str], path: Path, *, views: int, size: int, seed: int
) -> None:
    """Write a PNG with a row of views of each level in `names`.

    A row is headed by the level's name and by the means over its views of how colourful, how
    detailed and how far from flat they are. A level without a useful view has the reason instead.
    """
    rows = [_row(library, name, views, size, seed) for name in names]
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary, "PNG")


def _row(library: Library, name: str, views: int, size: int, seed: int) -> NDArray[np.uint8]:
    shown: list[Rendering] = []
    try:
        with Renderer(library.scene(name)) as renderer:
            sampler = Sampler(renderer, np.random.default_rng(seed))
            for _ in range(views):
                shown.append(renderer.render(sampler.anchor().camera, size))
        caption = (
            f"{name}   colour {np.mean([colourfulness(v) for v in shown]):.0f}   "
            f"detail {np.mean([detail(v) for v in shown]):.0f}   "
            f"relief {np.mean([relief(v) for v in shown]):.2f}"
        )
    except DustError as error:
        caption = f"{name}   {error.what}"
    row = np.zeros((size + _CAPTION, views * size, 3), dtype=np.uint8)
    for index, view in enumerate(shown):
        row[_CAPTION:, index * size : (index + 1) * size] = expose(view.colour, exposure(shown))
    canvas = Image.fromarray(row)
    ImageDraw.Draw(canvas).text((3, 1), caption, fill=(255, 255, 120))
    return np.asarray(canvas)
