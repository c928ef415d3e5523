"""Pairs of cameras without their pictures: sampled on a machine that has the levels, drawn on one
that has a GPU."""

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from dust_core.files import atomic_path
from levels.apart import PoseOrder, Progress, claim, work_apart
from levels.camera import Camera

MEASURED = 96
"""The side of the pictures on which covisibility is measured, pixels."""


@dataclass(frozen=True)
class Poses:
    """Pairs of cameras in levels.

    Attributes:
        levels: the names of the levels.
        level: (N,) uint16, the place of each pair's level in `levels`.
        cam_to_world: (N, 2, 3, 4) float32, metres, as `Camera.cam_to_world` without its last row.
        fov_deg: (N, 2) float32.
        covisibility: (N,) float32, 0 ... 1.
    """

    levels: tuple[str, ...]
    split: str
    level: NDArray[np.uint16]
    cam_to_world: NDArray[np.float32]
    fov_deg: NDArray[np.float32]
    covisibility: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.level)

    def cameras(self, pair: int) -> tuple[Camera, Camera]:
        """The two cameras of a pair."""
        first, second = (
            Camera(np.vstack([pose, [0.0, 0.0, 0.0, 1.0]]), float(fov))
            for pose, fov in zip(self.cam_to_world[pair], self.fov_deg[pair], strict=True)
        )
        return first, second

    def only(self, pairs: slice | NDArray[np.int64]) -> "Poses":
        """Some of the pairs."""
        return Poses(
            self.levels,
            self.split,
            self.level[pairs],
            self.cam_to_world[pairs],
            self.fov_deg[pairs],
            self.covisibility[pairs],
        )

    def write(self, path: Path) -> None:
        """Write an npz file, the same bytes for the same pairs."""
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                levels=np.array(self.levels, dtype=np.str_),
                split=np.array(self.split, dtype=np.str_),
                level=self.level,
                cam_to_world=self.cam_to_world,
                fov_deg=self.fov_deg,
                covisibility=self.covisibility,
            )


def read_poses(path: Path) -> Poses:
    """Read what `Poses.write` wrote.

    Raises:
        DustError: the file is absent or is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Poses(
                tuple(str(name) for name in stored["levels"]),
                str(stored["split"]),
                stored["level"],
                stored["cam_to_world"],
                stored["fov_deg"],
                stored["covisibility"],
            )
    except (OSError, ValueError, KeyError, zlib.error) as error:
        raise DustError(
            f"cannot read the poses: {error}",
            where=str(path),
            fix="make the file with `python -m levels sample`",
        ) from error


def sample(order: PoseOrder, out: Path, cache: Path, *, jobs: int, say: Progress) -> None:
    """Sample the pairs of `order` and write them, levels mixed, to `out`; again, it resumes.

    Args:
        jobs: how many levels are sampled at once.
        say: called with a line for each finished level.

    Raises:
        DustError: `out` exists, an unfinished order is another one, or a level has no pairs.
    """
    if out.exists():
        raise DustError(
            "the file exists", where=str(out), fix="name another file, or delete this one"
        )
    folder = out.with_name(f".{out.name}.parts")
    claim(folder, order)
    work = partial(sample_level, order, folder, cache)
    work_apart(order, work, lambda level: _part(folder, level).is_file(), jobs=jobs, say=say)
    parts = [read_poses(_part(folder, level)) for level in order.levels if order.share(level)]
    mix = np.random.default_rng(order.seed).permutation(order.pairs)
    _joined(parts, order).only(mix).write(out)
    shutil.rmtree(folder)


def sample_level(order: PoseOrder, folder: Path, cache: Path, level: str) -> None:
    """Sample the share of `level` into its part."""
    from levels.library import Library
    from levels.render import Renderer
    from levels.sampler import Limits, Sampler

    random = np.random.default_rng([order.seed, zlib.crc32(level.encode())])
    limits = Limits(least=order.least_overlap, most=order.most_overlap)
    with Renderer(Library(cache).scene(level)) as renderer:
        drawn = Sampler(renderer, random).pairs(MEASURED, limits)
        rows = [
            (
                [view.camera.cam_to_world[:3] for view in (pair.first, pair.second)],
                [view.camera.fov_deg for view in (pair.first, pair.second)],
                pair.covisibility,
            )
            for pair in islice(drawn, order.share(level))
        ]
    poses, fovs, covisibilities = zip(*rows, strict=True)
    Poses(
        (level,),
        order.split,
        np.zeros(len(rows), dtype=np.uint16),
        np.array(poses, dtype=np.float32),
        np.array(fovs, dtype=np.float32),
        np.array(covisibilities, dtype=np.float32),
    ).write(_part(folder, level))


def _joined(parts: Sequence[Poses], order: PoseOrder) -> Poses:
    return Poses(
        tuple(part.levels[0] for part in parts),
        order.split,
        np.repeat(np.arange(len(parts), dtype=np.uint16), [len(part) for part in parts]),
        np.concatenate([part.cam_to_world for part in parts]),
        np.concatenate([part.fov_deg for part in parts]),
        np.concatenate([part.covisibility for part in parts]),
    )


def _part(folder: Path, level: str) -> Path:
    return folder / f"{level.replace('/', '-')}.npz"
