"""Pairs drawn from packed levels into a decoded set: plain arrays, ready to train on.

images.npy      (N, 2, S, S, 3) uint8
depth.npy       (N, 2, S, S) uint16, millimetres, 0 where it is unknown
intrinsics.npy  (N, 2, 3, 3) float32, of each view
poses.npy       (N, 4, 4) float32, takes points of the second view to the first
manifest.json   what the set is; written last
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.errors import DustError
from dust_core.files import atomic_write_text, sha256_file
from levels.apart import Progress
from levels.camera import first_from_second
from levels.drawer import Drawer
from levels.packing import PackedLevels
from levels.photo import exposed_values, gain
from levels.poses import Poses, read_poses

MANIFEST = "manifest.json"
_FORMAT = "dust/decoded/v1"
_LICENCE = "GPL-2.0-or-later"


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


def draw(order: DrawOrder, out: Path, *, jobs: int, say: Progress) -> None:
    """Draw `order` as a decoded set in `out`.

    Args:
        jobs: how many levels are drawn at once.
        say: called with a line for each finished level.

    Raises:
        DustError: `out` holds a set, a level is not packed, or nothing can be drawn.
    """
    if (out / MANIFEST).exists():
        raise DustError("the folder holds a finished set", where=str(out), fix="name another one")
    poses, packed = order.chosen(), PackedLevels(order.parts)
    counts = dict(enumerate(np.bincount(poses.level, minlength=len(poses.levels)).tolist()))
    costs = {
        level: count * packed.triangles(poses.levels[level])
        for level, count in counts.items()
        if count
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, dtype, shape in _arrays(order.size):
        np.lib.format.open_memmap(out / name, "w+", dtype, (len(poses), *shape))
    started, drawn = time.monotonic(), 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as processes:
        running = {
            processes.submit(draw_level, order, out, level): level
            for level in sorted(costs, key=lambda level: -costs[level])
        }
        try:
            for finished in as_completed(running):
                finished.result()
                level = running[finished]
                drawn += counts[level]
                rate = drawn / (time.monotonic() - started)
                say(f"{drawn}/{len(poses)} {poses.levels[level]}: {rate:.0f} pairs/s")
        except BaseException:
            processes.shutdown(wait=False, cancel_futures=True)
            raise
    _write_manifest(order, out, poses, packed)


def draw_level(order: DrawOrder, out: Path, level: int) -> None:
    """Draw all pairs of one level at their places in the arrays of `out`."""
    poses = order.chosen()
    pairs = np.flatnonzero(poses.level == level)
    scene = PackedLevels(order.parts).scene(poses.levels[level])
    with _writers(out, order.size) as write, Drawer(scene, order.size) as drawer:
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


def _write_manifest(order: DrawOrder, out: Path, poses: Poses, packed: PackedLevels) -> None:
    """Say what the set is; the same on every machine, so that it does not tell of the pixels."""
    manifest = {
        "format": _FORMAT,
        "pairs": len(poses),
        "size": order.size,
        "split": poses.split,
        "scenes": sorted(poses.levels[level] for level in np.unique(poses.level)),
        "depth_unit_m": 0.001,
        "licence": _LICENCE,
        "poses": {"sha256": sha256_file(order.poses), "skip": order.skip},
        "parts": {file.name: sha256_file(file) for file in packed.files},
    }
    atomic_write_text(out / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _exposed(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(2, S, S, 3) two views (2, S, S, 4) with one exposure."""
    size = colour.shape[1]
    pictures = [(view[..., :3], view[..., 3] == 255) for view in colour]
    tall = Image.frombuffer("RGBX", (size, 2 * size), colour, "raw", "RGBX", 0, 1).convert("RGB")
    # Many times faster than indexing the table with the pixels.
    exposed = tall.point([*exposed_values(gain(pictures)).tolist()] * 3)
    return np.asarray(exposed).reshape(2, size, size, 3)


def _arrays(size: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """Name, type and shape of a pair in each array."""
    return [
        ("images.npy", "|u1", (2, size, size, 3)),
        ("depth.npy", "<u2", (2, size, size)),
        ("intrinsics.npy", "<f4", (2, 3, 3)),
        ("poses.npy", "<f4", (4, 4)),
    ]


Write = Callable[[str, int, NDArray[Any]], None]


@contextmanager
def _writers(out: Path, size: int) -> Iterator[Write]:
    """Yield a function that writes a pair into an array.

    It writes to the file rather than to a map of the file, which costs a fault for each new page.
    """
    files: dict[str, tuple[int, int]] = {}
    try:
        for name, _, _ in _arrays(size):
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
