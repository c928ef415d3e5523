"""Which pairs `dust predict` makes of many pictures, and the folders of their files."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dust_core.errors import DustError
from dust_core.visible import plain_stem

if TYPE_CHECKING:
    from dust_core.pairs.pictures.chosen import Chosen
    from dust_core.pairs.pictures.photographs import Photograph

_MAGIC = re.compile(r"[*?\[]")

Which = Literal["consecutive", "all"]


def are_a_pair(sources: Sequence[Path]) -> bool:
    """Whether a user names exactly two pictures, by their files.

    Raises:
        DustError: they are two names, and there is no such file.
    """
    from dust_core.pairs.pictures.video import is_video

    if len(sources) != 2 or any(path.is_dir() or _is_pattern(path) for path in sources):
        return False
    for path in sources:
        if not path.is_file():
            raise DustError("no such photograph", where=str(path), fix="name a picture file")
    return not any(map(is_video, sources))


def choose_pairs(count: int, which: Which, limit: int) -> list[tuple[int, int]]:
    """The pairs of so many pictures: each with the next, or each with every later one.

    Raises:
        DustError: they are more than the limit.
    """
    if which == "consecutive":
        pairs = [(number, number + 1) for number in range(count - 1)]
    else:
        pairs = list(combinations(range(count), 2))
    _require_at_most(len(pairs), limit, f"{count} pictures")
    return pairs


def require_few(chosen: "Chosen", which: Which, limit: int) -> None:
    """Prove, before anything is loaded, that files without videos make no more pairs.

    Raises:
        DustError: they do.
    """
    from dust_core.pairs.pictures.video import is_video

    if not any(map(is_video, chosen.paths)):
        choose_pairs(len(chosen.paths), which, limit)


def pair_folders(
    out: Path, photographs: "Sequence[Photograph]", pairs: Sequence[tuple[int, int]]
) -> list[Path]:
    """A folder for each pair: its number and the names of its pictures."""
    names = [plain_stem(photograph.name) for photograph in photographs]
    digits = len(str(len(pairs)))
    return [
        out / f"{number:0{digits}}_{names[first]}_{names[second]}"
        for number, (first, second) in enumerate(pairs, 1)
    ]


def _is_pattern(path: Path) -> bool:
    return bool(_MAGIC.search(str(path))) and not path.exists()


def _require_at_most(pairs: int, limit: int, what: str) -> None:
    if pairs > limit:
        raise DustError(
            f"{what} make {pairs} pairs, at most {limit} are made",
            fix="raise --limit, name fewer pictures, or take fewer frames with --every; "
            "`dust reconstruct` aligns many pictures in one scene",
        )
