"""A generic manifest: a CSV or JSON file with one row a frame, for data that has no layout here.

Columns: `scene`, `image`, `depth`, `K`, `cam_to_world`; optional `mask` (depth counts where it is
not 0) and `name` (else the image's path). Paths are relative to the manifest. `K` has 4 numbers (fx
fy cx cy) or 9, `cam_to_world` 16 row by row; each is a list, a text of numbers, or the path of a
text file. The rows of a scene stand together, in the order in which neighbours overlap.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Recording,
    camera_matrix,
    require_file,
    rigid,
)
from dust_core.pairs.importing.adapters.files import (
    parse_numbers,
    read_depth,
    read_map,
    read_numbers,
)

_NEEDED = ("scene", "image", "depth", "K", "cam_to_world")
_COLUMNS = {*_NEEDED, "mask", "name"}

Row = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class ManifestFile:
    """The generic manifest.

    Attributes:
        depth_step: metres a step of depths in whole numbers; floating depths are metres.
    """

    depth_step: float = 0.001

    def recordings(self, source: Path) -> Iterator[Recording]:
        """A recording for each scene. A CSV is read as it goes, a JSON at once."""
        require_file(source, "the manifest")
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
            yield Recording(scene, [self._frame(source.parent, *row) for row in listed])

    def _frame(self, folder: Path, where: str, row: dict[str, Any]) -> Frame:
        image = require_file(folder / str(row["image"]), "the image")
        depth = require_file(folder / str(row["depth"]), "the depth")
        mask = require_file(folder / str(row["mask"]), "the mask") if row.get("mask") else None
        pose = _numbers(row["cam_to_world"], folder, f"{where}: cam_to_world", (16,))
        intrinsics = _numbers(row["K"], folder, f"{where}: K", (4, 9))
        return Frame(
            name=str(row.get("name") or row["image"]),
            image=image,
            read_depth=lambda: self._read_depth(depth, mask),
            intrinsics=camera_matrix(intrinsics, f"{where}: K"),
            cam_to_world=rigid(pose.reshape(4, 4), f"{where}: cam_to_world"),
        )

    def _read_depth(self, path: Path, mask: Path | None) -> Floats:
        depth = read_depth(path, self.depth_step)
        if mask is None:
            return depth
        kept = read_map(mask, "the mask")
        if kept.shape != depth.shape:
            raise DustError(
                f"the mask is {kept.shape}, its depth {depth.shape}",
                where=str(mask),
                fix="give both the same size",
            )
        return np.where(kept != 0, depth, np.float32(0))


def _rows(source: Path) -> Iterator[Row]:
    """The place of each row, and what it says."""
    try:
        if source.suffix.lower() == ".json":
            rows = json.loads(source.read_text(encoding="utf-8"))
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ValueError("a list of objects is expected")
            for index, row in enumerate(rows):
                yield _checked(f"{source}: entry {index}", row)
        else:
            with source.open(encoding="utf-8", newline="") as stream:
                reader = csv.DictReader(stream, strict=True)
                for row in reader:
                    yield _checked(f"{source}:{reader.line_num}", row)
    except (OSError, ValueError, csv.Error) as error:
        raise DustError(
            f"no manifest: {error}", where=str(source), fix="write a CSV or a JSON"
        ) from error


def _checked(where: str, row: dict[str, Any]) -> Row:
    missing = [name for name in _NEEDED if row.get(name) in (None, "")]
    unknown = [str(name) for name in row if name not in _COLUMNS]
    if missing or unknown:
        faults = [f"it lacks {name}" for name in missing]
        faults += [f"it has the unknown column {name}" for name in unknown]
        raise DustError(
            "; ".join(faults), where=where, fix=f"the columns are {', '.join(sorted(_COLUMNS))}"
        )
    return where, row


def _numbers(value: Any, folder: Path, where: str, counts: tuple[int, ...]) -> Floats:
    """Numbers from a list, nested or not, from a text, or from the file that a text names."""
    if isinstance(value, str):
        path = folder / value.strip()
        if len(value) < 1000 and path.is_file():
            return read_numbers(path, counts, where.rpartition(" ")[2])
        numbers = parse_numbers(value, where)
    else:
        try:
            numbers = np.asarray(value, np.float64).ravel()
        except (TypeError, ValueError) as error:
            raise DustError(f"no numbers: {error}", where=where, fix="write a list") from error
    if numbers.size not in counts:
        expected = " or ".join(map(str, counts))
        raise DustError(
            f"{numbers.size} numbers, expected {expected}", where=where, fix="mend the row"
        )
    return numbers
