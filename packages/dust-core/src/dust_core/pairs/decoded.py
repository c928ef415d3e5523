"""Decoded sets: the pixels of a set of pairs as plain arrays, for trainings that outrun a decoder.

A folder holds `images.npy`, `depth.npy`, `intrinsics.npy`, `poses.npy` and `manifest.json`. The
manifest says what the set was made of and nothing of its pixels, so that a set which is drawn again
on another graphics card has the same manifest.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from dust_core.files import atomic_write_text

MANIFEST = "manifest.json"
FORMAT = "dust/decoded/v1"
ARRAYS = ("images.npy", "depth.npy", "intrinsics.npy", "poses.npy")


@dataclass(frozen=True, kw_only=True)
class DecodedManifest:
    """What a decoded set is.

    Attributes:
        split: what the set is for.
        licence: the licence of its data.
        pairs: how many pairs.
        scenes: their scenes, sorted.
        side: height and width of every image, pixels.
        depth_unit_m: the step of depth, metres.
        made_of: the files that the set was made of, with their SHA-256.
    """

    split: str
    licence: str
    pairs: int
    scenes: tuple[str, ...]
    side: int
    depth_unit_m: float
    made_of: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DecodedPairs:
    """N pairs as arrays, on the disk until they are read.

    Attributes:
        images: (N, 2, S, S, 3) uint8, RGB.
        depth: (N, 2, S, S) uint16, steps of `units`; 0 is unknown.
        intrinsics: (N, 2, 3, 3) float32, pixels.
        poses: (N, 4, 4) float32, takes points of camera 2 to camera 1, metres.
        units: (N, 2) float32, the step of each view, metres.
    """

    images: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    intrinsics: NDArray[np.float32]
    poses: NDArray[np.float32]
    units: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)


def create_decoded(folder: Path, manifest: DecodedManifest) -> DecodedPairs:
    """Lay out a set whose arrays are then written in any order, by any number of processes.

    `finish_decoded` writes the manifest last: without one, a folder holds no set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, (shape, dtype) in _layout(manifest).items():
        np.lib.format.open_memmap(folder / name, "w+", dtype=dtype, shape=shape).flush()
    return _mapped(folder, manifest, "r+")


def finish_decoded(folder: Path, manifest: DecodedManifest) -> None:
    """Say that all arrays of the set are written."""
    content = {"format": FORMAT, **asdict(manifest)}
    atomic_write_text(folder / MANIFEST, json.dumps(content, indent=1, sort_keys=True) + "\n")


def is_decoded(folder: Path) -> bool:
    """Whether the folder holds a decoded set, rather than shards."""
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_decoded_manifest(folder: Path) -> DecodedManifest:
    """The manifest of a decoded set.

    Raises:
        DustError: there is none, or it is not one.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        manifest = DecodedManifest(**(content | {"scenes": tuple(content["scenes"])}))
        if min(manifest.pairs, manifest.side) < 1 or manifest.depth_unit_m <= 0:
            raise ValueError("pairs, side and depth_unit_m must be positive")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DustError(
            f"not the manifest of a decoded set: {error}",
            where=str(folder / MANIFEST),
            fix="draw the set again: `python -m levels draw`",
        ) from error
    return manifest


def open_decoded(folder: Path) -> DecodedPairs:
    """The arrays of a decoded set; a page is read when it is first used.

    Raises:
        DustError: the manifest or an array is absent, or an array is not what the manifest says.
    """
    return _mapped(folder, read_decoded_manifest(folder), "r")


def _layout(manifest: DecodedManifest) -> dict[str, tuple[tuple[int, ...], str]]:
    pairs, side = manifest.pairs, manifest.side
    images, depth, intrinsics, poses = ARRAYS
    return {
        images: ((pairs, 2, side, side, 3), "|u1"),
        depth: ((pairs, 2, side, side), "<u2"),
        intrinsics: ((pairs, 2, 3, 3), "<f4"),
        poses: ((pairs, 4, 4), "<f4"),
    }


def _mapped(folder: Path, manifest: DecodedManifest, mode: Literal["r", "r+"]) -> DecodedPairs:
    arrays = {}
    for name, (shape, dtype) in _layout(manifest).items():
        try:
            array = np.load(folder / name, mmap_mode=mode, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _broken(folder / name, f"cannot be read: {error}") from error
        if array.shape != shape or array.dtype != np.dtype(dtype):
            raise _broken(
                folder / name, f"is {array.shape} of {array.dtype}, the manifest says {shape}"
            )
        arrays[name.removesuffix(".npy")] = array
    units = np.full((manifest.pairs, 2), manifest.depth_unit_m, np.float32)
    return DecodedPairs(**arrays, units=units)


def _broken(path: Path, what: str) -> DustError:
    return DustError(
        f"an array of a decoded set {what}",
        where=str(path),
        fix="draw the set again: `python -m levels draw`",
        exit_code=1,
    )
