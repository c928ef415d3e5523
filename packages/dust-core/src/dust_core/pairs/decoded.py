"""Decoded sets: the pixels of a set of pairs as plain arrays, for trainings that outrun a decoder.

A folder holds `images.npy`, `depth.npy`, `intrinsics.npy`, `poses.npy`, `sums.json` and
`manifest.json`. The manifest says what the set was made of and nothing of its pixels, so that a set
which is drawn again on another graphics card has the same manifest. The sums are the SHA-256 of the
arrays, which prove that they are those that were written; earlier sets have none.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from dust_core.bounded import fault_of_fields, open_regular, read_json_bounded, tuples_of
from dust_core.errors import DustError, first_line
from dust_core.files import atomic_write_text, sha256_file

MANIFEST = "manifest.json"
SUMS = "sums.json"
FORMAT = "dust/decoded/v1"
ARRAYS = ("images.npy", "depth.npy", "intrinsics.npy", "poses.npy")


_MOST_BYTES = 16_000_000
_HEADER_BYTES = 4096
# A header is Python's own text.
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TokenError,
)

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(strict=True, extra="forbid"))
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
    pairs: Count
    scenes: tuple[str, ...]
    side: Annotated[int, Field(ge=1, le=8192)]
    depth_unit_m: Annotated[float, Field(gt=0, le=1e6)]
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
    for name in (MANIFEST, SUMS):
        (folder / name).unlink(missing_ok=True)
    for name, (shape, dtype) in _layout(manifest).items():
        np.lib.format.open_memmap(folder / name, "w+", dtype=dtype, shape=shape).flush()
    return _mapped(folder, manifest, "r+")


def finish_decoded(folder: Path, manifest: DecodedManifest) -> None:
    """Say that all arrays of the set are written, after the sums that prove them."""
    sums = {name: sha256_file(folder / name) for name in ARRAYS}
    atomic_write_text(folder / SUMS, json.dumps(sums, indent=1) + "\n")
    content = {"format": FORMAT, **asdict(manifest)}
    atomic_write_text(folder / MANIFEST, json.dumps(content, indent=1, sort_keys=True) + "\n")


def is_decoded(folder: Path) -> bool:
    """Whether the folder holds a decoded set, rather than shards."""
    try:
        content = read_json_bounded(folder / MANIFEST, _MOST_BYTES)
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_decoded_manifest(folder: Path) -> DecodedManifest:
    """The manifest of a decoded set.

    Raises:
        DustError: there is none, or it is not one.
    """
    try:
        content = read_json_bounded(folder / MANIFEST, _MOST_BYTES)
        if content.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return DecodedManifest(**tuples_of(content))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = fault_of_fields(error) if isinstance(error, ValidationError) else error
        raise DustError(
            f"not the manifest of a decoded set: {reason}",
            where=str(folder / MANIFEST),
            fix="draw the set again: `python -m levels draw`",
        ) from error


def open_decoded(folder: Path) -> DecodedPairs:
    """The arrays of a decoded set; a page is read when it is first used.

    The arrays are compared with the set's sums, once in a process while no file changes.

    Raises:
        DustError: the manifest or an array is absent, or an array is not what the manifest or its
            sum says.
    """
    pairs = _mapped(folder, read_decoded_manifest(folder), "r")
    if (folder / SUMS).exists():
        for name, sum_ in _read_sums(folder).items():
            state = (folder / name).stat()
            _prove(
                folder / name, sum_, (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
            )
    return pairs


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        sums = read_json_bounded(path, _HEADER_BYTES)
        if not isinstance(sums, dict) or sorted(sums) != sorted(ARRAYS):
            raise ValueError(f"it does not name {', '.join(ARRAYS)}")
    except (OSError, ValueError) as error:
        raise _broken(path, f"has no readable sum: {first_line(error)}") from error
    return sums


@lru_cache(maxsize=256)
def _prove(path: Path, stated: str, state: tuple[int, ...]) -> None:
    """Compare an array with its sum, again only where the file has changed."""
    if sha256_file(path) != stated:
        raise _broken(path, f"has other bytes than {SUMS} says")


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
            _require_bytes(folder / name, prod(shape) * np.dtype(dtype).itemsize)
            array = np.load(folder / name, mmap_mode=mode, allow_pickle=False)
        except _UNREADABLE as error:
            raise _broken(folder / name, f"cannot be read: {first_line(error)}") from error
        if array.shape != shape or array.dtype != np.dtype(dtype):
            raise _broken(
                folder / name, f"is {array.shape} of {array.dtype}, the manifest says {shape}"
            )
        arrays[name.removesuffix(".npy")] = array
    units = np.full((manifest.pairs, 2), manifest.depth_unit_m, np.float32)
    return DecodedPairs(**arrays, units=units)


def _require_bytes(path: Path, expected: int) -> None:
    """The elements that the manifest names, and a header: whatever that header claims."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
    if not 0 < size - expected <= _HEADER_BYTES:
        raise ValueError(f"it has {size:,} bytes, the manifest says {expected:,} and a header")


def _broken(path: Path, what: str) -> DustError:
    return DustError(
        f"an array of a decoded set {what}",
        where=str(path),
        fix="draw the set again: `python -m levels draw`",
        exit_code=1,
    )
