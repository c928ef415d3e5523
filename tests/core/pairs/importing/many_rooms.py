"""A data set of five rooms, and imports of it."""

import shutil
from pathlib import Path
from typing import Any

import adapter_room as room

from dust_core.pairs.importing.commands import import_

NAMES = ("attic", "hall2", "hall10", "lost", "yard")


def make(folder: Path) -> Path:
    """Five rooms; two frames of one have a fault, and one has no pair at all."""
    made = room.seven_scenes(folder)
    for name in NAMES:
        shutil.copytree(made.source / "room", made.source / name)
    shutil.rmtree(made.source / "room")
    for path in made.source.glob("lost/*/*.pose.txt"):
        path.write_text("nan " * 16)
    for number in (1, 3):
        next(made.source.glob(f"hall2/*/frame-00000{number}.depth.png")).unlink()
    return made.source


def run(source: Path, into: Path, **options: Any) -> None:
    """Import the set in squares of 48 pixels, three pairs a shard."""
    k = ",".join(str(room.K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    sizes = {"side": 48, "max_overlap": 1.0, "pairs_per_shard": 3, "intrinsics": k}
    import_("7-scenes", source, into, **sizes | options)


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of the files in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
