"""A generic manifest: a CSV or JSON file with one row a frame, for data that has no layout here.

Columns: `scene`, `image`, `depth`, `K`, `cam_to_world`; optional `mask` (depth counts where it is
not 0), `name` (else the image's path), `width` and `height` (of the pictures that K is for) and
`distortion` (k1 k2 p1 p2 k3 ... of OpenCV). Paths are relative to the manifest. `K` has 4 numbers
(fx fy cx cy) or 9, `cam_to_world` 16 row by row; each is a list, a text of numbers, or the path
of a text file. The rows of a scene stand together, in the order in which neighbours overlap. A CSV
is parted by commas, semicolons or tabs.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Recording,
    Scene,
    camera_matrix,
    gather,
    require_file,
    rigid,
)
from dust_core.pairs.importing.adapters.conventions import beside, masked
from dust_core.pairs.importing.adapters.files import (
    parse_numbers,
    read_depth,
    read_numbers,
    text_encoding,
)
from dust_core.pairs.importing.camera import Camera
from dust_core.pairs.importing.lens import lens_or_none

_NEEDED = ("scene", "image", "depth", "K", "cam_to_world")
_COLUMNS = {*_NEEDED, "mask", "name", "width", "height", "distortion"}
_LONGEST_PATH = 1000
_COUNTS_OF_DISTORTION = (4, 5, 8)

Row = tuple[str, dict[str | None, Any]]


@dataclass(frozen=True)
class ManifestFile:
    """The generic manifest.

    Attributes:
        depth_step: metres a step of depths in whole numbers; floating depths are metres.
    """

    depth_step: float = 0.001

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each scene. A CSV is read as it goes, a JSON at once."""
        _require_manifest(source)
        done: set[str] = set()
        for scene, rows in groupby(_rows(source), key=lambda row: str(row[1]["scene"])):
            listed = list(rows)
            if scene in done:
                raise DustError(
                    f"the scene {scene} comes back after another one",
                    where=listed[0][0],
                    fix="sort the rows: those of a scene stand together",
                )
            done.add(scene)
            yield Scene(scene, partial(self._read, source.parent, listed))

    def _read(self, folder: Path, rows: list[Row]) -> Recording:
        return gather((_name(row), partial(self._frame, folder, *row)) for row in rows)

    def _frame(self, folder: Path, where: str, row: dict[str | None, Any]) -> Frame:
        _require_columns(where, row)
        image = require_file(beside(folder, row["image"]), "the image")
        depth = require_file(beside(folder, row["depth"]), "the depth")
        mask = require_file(beside(folder, row["mask"]), "the mask") if row.get("mask") else None
        pose = _numbers(row["cam_to_world"], folder, f"{where}: cam_to_world", (16,))
        return Frame(
            name=_name((where, row)),
            image=image,
            read_depth=partial(self._read_depth, depth, mask),
            camera=_camera(row, folder, where),
            cam_to_world=rigid(pose.reshape(4, 4), f"{where}: cam_to_world"),
        )

    def _read_depth(self, path: Path, mask: Path | None) -> Floats:
        return masked(read_depth(path, self.depth_step), mask)


def _require_manifest(source: Path) -> None:
    """Raises DustError where the path is a folder, or nothing is there."""
    if _is_file(source):
        return
    what = "the table of frames, a .csv or a .json"
    if source.is_dir():
        tables = [*source.glob("*.csv"), *source.glob("*.json")]
        raise DustError(
            "it is a folder; the layout manifest reads a table of frames",
            where=str(source),
            fix=f"give {tables[0] if len(tables) == 1 else f'the path of {what}'}",
        )
    raise DustError(
        "it is no regular file" if source.exists() else "there is no such file",
        where=str(source),
        fix=f"check the path; the layout manifest reads {what}",
    )


def _name(row: Row) -> str:
    return str(row[1].get("name") or row[1].get("image") or row[0])


def _camera(row: dict[str | None, Any], folder: Path, where: str) -> Camera:
    intrinsics = _numbers(row["K"], folder, f"{where}: K", (4, 9))
    size, lens = None, None
    if row.get("width") or row.get("height"):
        stated = [
            _numbers(row.get(side) or "", folder, f"{where}: {side}", (1,))
            for side in ("width", "height")
        ]
        if not all(number[0].is_integer() and 0 < number[0] < 2**16 for number in stated):
            raise DustError(
                f"no size of a picture: {stated[0][0]:g} x {stated[1][0]:g}",
                where=where,
                fix="give width and height in whole pixels",
            )
        size = (int(stated[0][0]), int(stated[1][0]))
    if row.get("distortion"):
        where_lens = f"{where}: distortion"
        coefficients = _numbers(row["distortion"], folder, where_lens, _COUNTS_OF_DISTORTION)
        lens = lens_or_none("radial", coefficients, where_lens)
    return Camera(camera_matrix(intrinsics, f"{where}: K"), size, lens)


def _rows(source: Path) -> Iterator[Row]:
    """The place of each row, and what it says."""
    try:
        if source.suffix.lower() == ".json":
            rows = json.loads(source.read_text(encoding=text_encoding(source)))
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ValueError("a list of objects is expected")
            for index, row in enumerate(rows):
                yield _checked(f"{source}: entry {index}", row)
        else:
            with source.open(encoding=text_encoding(source), newline="") as stream:
                separator = _separator(stream.readline())
                stream.seek(0)
                reader = csv.DictReader(stream, strict=True, delimiter=separator)
                for row in reader:
                    yield _checked(f"{source}:{reader.line_num}", row)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise DustError(
            f"no manifest: {error}", where=str(source), fix="write a CSV or a JSON"
        ) from error


def _separator(heading: str) -> str:
    """What parts the columns: the sign that makes most known columns of the heading."""

    def known(sign: str) -> int:
        return len(_COLUMNS & {word.strip(' "\r\n') for word in heading.split(sign)})

    return max(",;\t", key=known)


def _checked(where: str, row: dict[Any, Any]) -> Row:
    """A row without blanks around its columns, which must be known; the scene must be there.

    What else it lacks concerns its frame alone.
    """
    named = {name.strip() if isinstance(name, str) else name: row[name] for name in row}
    unknown = [str(name) for name in named if name is not None and name not in _COLUMNS]
    missing = [name for name in _NEEDED if name not in named]
    if named.get("scene") in (None, "") and "scene" not in missing:
        missing.append("scene")
    _require_none(missing, unknown, where)
    return where, named


def _require_columns(where: str, row: dict[str | None, Any]) -> None:
    _require_none([name for name in _NEEDED if row.get(name) in (None, "")], [], where)
    if None in row:
        raise DustError(
            "it has more fields than the heading has columns",
            where=where,
            fix="put quotes around a field that holds the sign between columns",
        )


def _require_none(missing: list[str], unknown: list[str], where: str) -> None:
    if missing or unknown:
        faults = [f"it lacks {name}" for name in missing]
        faults += [f"it has the unknown column {name}" for name in unknown]
        raise DustError(
            "; ".join(faults), where=where, fix=f"the columns are {', '.join(sorted(_COLUMNS))}"
        )


def _numbers(value: Any, folder: Path, where: str, counts: tuple[int, ...]) -> Floats:
    """Numbers from a list, nested or not, from a text, or from the file that a text names."""
    if isinstance(value, str):
        if _LONGEST_PATH > len(value.strip()) > 0 and _is_file(folder / value.strip()):
            return read_numbers(folder / value.strip(), counts, where.rpartition(" ")[2])
        numbers = parse_numbers(value, where)
    else:
        try:
            numbers = np.asarray(value, np.float64).ravel()
        except (TypeError, ValueError, OverflowError) as error:
            raise DustError(f"no numbers: {error}", where=where, fix="write a list") from error
    if numbers.size not in counts:
        expected = " or ".join(map(str, counts))
        raise DustError(
            f"{numbers.size} numbers, expected {expected}", where=where, fix="mend the row"
        )
    return numbers


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # numbers that no name can be
        return False
