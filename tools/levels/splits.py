"""The levels of training, calibration, validation and evaluation."""

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dust_core.errors import DustError

Split = Literal["train", "calibration", "validation", "evaluation"]
SPLITS_FILE = Path(__file__).with_name("splits.toml")


@dataclass(frozen=True)
class Splits:
    """The split by level; a level's name is game/map.

    Attributes:
        held: the levels of each side but training, to which all others belong.
        variants: families of levels that must be on one side.
        skip: levels that are never rendered, and why.
    """

    held: dict[Split, tuple[str, ...]]
    variants: tuple[tuple[str, ...], ...]
    skip: dict[str, str]

    def side(self, level: str) -> Split:
        """The side of `level`."""
        return next((side for side, levels in self.held.items() if level in levels), "train")

    def choose(self, levels: list[str], split: Split) -> list[str]:
        """The levels of `levels` that are rendered for `split`, in their order."""
        return [name for name in levels if name not in self.skip and self.side(name) == split]


def read_splits(path: Path = SPLITS_FILE) -> Splits:
    """Read the split and check that no family of variants is divided.

    Raises:
        DustError: a level is on two sides, or variants of one level are on different sides.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    splits = Splits(
        held={side: tuple(content[side]) for side in get_args(Split) if side != "train"},
        variants=tuple(tuple(family) for family in content["variants"]),
        skip=dict(content["skip"]),
    )
    count = Counter(level for levels in splits.held.values() for level in levels)
    twice = sorted(level for level, times in count.items() if times > 1)
    if twice:
        raise DustError(
            f"on more than one side: {', '.join(twice)}", where=str(path), fix="keep it on one side"
        )
    for family in splits.variants:
        sides = {splits.side(level) for level in family}
        if len(sides) > 1:
            raise DustError(
                f"variants of one level are on different sides: {', '.join(family)}",
                where=str(path),
                fix=f"put all of them on one of: {', '.join(sorted(sides))}",
            )
    return splits
