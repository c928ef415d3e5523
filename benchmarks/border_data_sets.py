"""Miniatures of published data sets, and how a user imports each of them."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from border_files import Case, importing

_ROOM = Path(__file__).parent.parent / "tests" / "core" / "pairs" / "importing"
_FRAMES = 3
LAYOUTS = ("scannet", "scannet++", "co3d", "dtu", "nerfstudio", "arkitscenes", "dust3r")


def _cases(layout: str, root: Path) -> Iterator[Case]:
    """The tests' room in each variant of a layout; of each folder, one file of each kind.

    Where a folder has a file for each frame, that of the second frame is mutated.
    """
    sys.path.insert(0, str(_ROOM))
    import adapter_room

    adapter_room.COUNT = _FRAMES
    from data_set_rooms import DATA_SETS

    for number, make in enumerate(DATA_SETS):
        source = root / f"{number}" / "set"
        source.mkdir(parents=True)
        made = make(source)
        if made.layout != layout:
            continue
        kinds: dict[tuple[Path, str], list[Path]] = {}
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            kinds.setdefault((path.parent, path.suffix), []).append(path)
        options: list[object] = ["--max-overlap", 1.0]
        for name, value in made.options.items():
            options += [f"--{name.replace('_', '-')}", value]
        for files in kinds.values():
            yield Case(files[len(files) // 2], importing(layout, made.source, *options))


DATA_SETS_READERS: dict[str, Callable[[Path], Iterator[Case]]] = {
    layout: partial(_cases, layout) for layout in LAYOUTS
}
