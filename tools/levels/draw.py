"""Pairs drawn from packed levels into a decoded set: plain arrays, ready to train on.

images.npy      (N, 2, S, S, 3) uint8
depth.npy       (N, 2, S, S) uint16, millimetres, 0 where it is unknown
intrinsics.npy  (N, 2, 3, 3) float32, of each view
poses.npy       (N, 4, 4) float32, takes points of the second view to the first
manifest.json   what the set is; written last
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.pairs.decoded import (
    ARRAYS,
    DecodedManifest,
    create_decoded,
    finish_decoded,
    is_decoded,
)
from levels.apart import Progress
from levels.camera import first_from_second
from levels.drawer import Drawer
from levels.packing import PackedLevels
from levels.photo import exposed_values, gain
from levels.poses import Poses, read_poses
from levels.samples import LICENCE


@dataclass(frozen=True, kw_only=True)
class DrawOrder:
    """What to draw.

    Attributes:
        poses: the file of poses.
        parts: the folder of packed levels.
        size: the side of the pictures, pixels.
        skip: how many pairs at the beginning of the file to leave out.
        pairs: how many pairs to draw; None for all that follow.
    """

    poses: Path
    parts: Path
    size: int
    skip: int = 0
    pairs: int | None = None

    def chosen(self) -> Poses:
        """The pairs to draw.

        Raises:
            DustError: the file does not have as many.
        """
        poses = read_poses(self.poses)
        last = len(poses) if self.pairs is None else self.skip + self.pairs
        if not self.skip < last <= len(poses):
            raise DustError(
                f"pairs {self.skip} to {last} are asked for, and the file has {len(poses)}",
                where=str(self.poses),
                fix="lower --pairs or --skip",
            )
        return poses.only(slice(self.skip, last))


def draw(order: DrawOrder, out: Path, *, jobs: int, say: Progress, on: str | None = None) -> None:
    """Draw `order` as a decoded set in `out`.

    Args:
        jobs: how many levels are drawn at once.
        say: called with a line for each finished level.
        on: a scheduler of dask whose workers draw instead, as `dust repro --on` takes it; they have
            the poses, the packed levels and `out` at the same paths.

    Raises:
        DustError: `out` holds a set, a level is not packed, nothing can be drawn, or there is no
            such scheduler.
    """
    if is_decoded(out):
        raise DustError("the folder holds a finished set", where=str(out), fix="name another one")
    poses, packed = order.chosen(), PackedLevels(order.parts)
    counts = dict(enumerate(np.bincount(poses.level, minlength=len(poses.levels)).tolist()))
    costs = {
        level: count * packed.triangles(poses.levels[level])
        for level, count in counts.items()
        if count
    }
    manifest = _manifest(order, poses, packed)
    create_decoded(out, manifest)
    started, drawn = time.monotonic(), 0
    order = replace(order, poses=order.poses.resolve(), parts=order.parts.resolve())
    with _processes(jobs) if on is None else _workers(on) as processes:
        running = {
            processes.submit(draw_level, order, out.resolve(), level): level
            for level in sorted(costs, key=lambda level: -costs[level])
        }
        for finished in as_completed(running):
            finished.result()
            level = running[finished]
            drawn += counts[level]
            rate = drawn / (time.monotonic() - started)
            say(f"{drawn}/{len(poses)} {poses.levels[level]}: {rate:.0f} pairs/s")
    finish_decoded(out, manifest)


@contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as processes:
        try:
            yield processes
        except BaseException:
            processes.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _workers(scheduler: str) -> Iterator[Executor]:
    from dust_core.scheduler import connected

    with TemporaryDirectory() as folder, connected(scheduler, Path(folder)) as client:
        import distributed

        try:
            yield client.get_executor(pure=False)
        except distributed.KilledWorker as error:
            raise DustError(
                f"each of {error.allowed_failures + 1} workers ended while it drew a level",
                where=scheduler,
                fix="start fewer workers if memory was short",
            ) from error


def draw_level(order: DrawOrder, out: Path, level: int) -> None:
    """Draw all pairs of one level at their places in the arrays of `out`."""
    poses = order.chosen()
    pairs = np.flatnonzero(poses.level == level)
    scene = PackedLevels(order.parts).scene(poses.levels[level])
    with _writers(out) as write, Drawer(scene, order.size) as drawer:
        step = drawer.views // 2
        for start in range(0, len(pairs), step):
            some = [int(pair) for pair in pairs[start : start + step]]
            cameras = [poses.cameras(pair) for pair in some]
            colour, depth = drawer.draw([camera for pair in cameras for camera in pair])
            for index, (pair, (first, second)) in enumerate(zip(some, cameras, strict=True)):
                both = slice(2 * index, 2 * index + 2)
                lenses = [camera.intrinsics(order.size) for camera in (first, second)]
                write("images.npy", pair, _exposed(colour[both]))
                write("depth.npy", pair, depth[both])
                write("intrinsics.npy", pair, np.array(lenses, dtype=np.float32))
                moved = first_from_second(first, second).astype(np.float32)
                write("poses.npy", pair, np.ascontiguousarray(moved))


def _manifest(order: DrawOrder, poses: Poses, packed: PackedLevels) -> DecodedManifest:
    sources = (order.poses, *packed.files)
    return DecodedManifest(
        split=poses.split,
        licence=LICENCE,
        pairs=len(poses),
        scenes=tuple(sorted(poses.levels[level] for level in np.unique(poses.level))),
        side=order.size,
        depth_unit_m=0.001,
        made_of={file.name: sha256_file(file) for file in sources} | {"skip": str(order.skip)},
    )


def _exposed(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(2, S, S, 3) two views (2, S, S, 4) with one exposure."""
    size = colour.shape[1]
    pictures = [(view[..., :3], view[..., 3] == 255) for view in colour]
    tall = Image.frombuffer("RGBX", (size, 2 * size), colour, "raw", "RGBX", 0, 1).convert("RGB")
    # Many times faster than indexing the table with the pixels.
    exposed = tall.point([*exposed_values(gain(pictures)).tolist()] * 3)
    return np.asarray(exposed).reshape(2, size, size, 3)


Write = Callable[[str, int, NDArray[Any]], None]


@contextmanager
def _writers(out: Path) -> Iterator[Write]:
    """Yield a function that writes a pair into an array.

    It writes to the file rather than to a map of the file, which costs a fault for each new page.
    """
    files: dict[str, tuple[int, int]] = {}
    try:
        for name in ARRAYS:
            start = int(np.load(out / name, mmap_mode="r").offset)
            files[name] = (os.open(out / name, os.O_WRONLY), start)

        def write(name: str, pair: int, content: NDArray[Any]) -> None:
            handle, start = files[name]
            view = content.data.cast("B")
            at, done = start + pair * content.nbytes, 0
            while done < content.nbytes:
                done += os.pwrite(handle, view[done:], at + done)

        yield write
    finally:
        for handle, _ in files.values():
            os.close(handle)
