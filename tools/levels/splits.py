"""Which levels belong to training, validation and evaluation."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dust_core.errors import DustError

Split = Literal["train", "validation", "evaluation"]
SPLITS_FILE = Path(__file__).with_name("splits.toml")


@dataclass(frozen=True)
class Splits:
    """The split by level; a level's name is game/map.

    Attributes:
        variants: families of levels that must stand on one side.
        skip: levels that are never rendered, and why.
    """

    evaluation: tuple[str, ...]
    validation: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    skip: dict[str, str]

    def side(self, level: str) -> Split:
        """The side on which `level` stands: training unless it is held out."""
        if level in self.evaluation:
            return "evaluation"
        return "validation" if level in self.validation else "train"

    def choose(self, levels: list[str], split: Split) -> list[str]:
        """Those of `levels` that are rendered for `split`, in their order."""
        return [name for name in levels if name not in self.skip and self.side(name) == split]


def read_splits(path: Path = SPLITS_FILE) -> Splits:
    """Read the split and see that no family of variants is torn apart.

    Raises:
        DustError: a level is on two sides, or variants of one level are on different sides.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    splits = Splits(
        evaluation=tuple(content["evaluation"]),
        validation=tuple(content["validation"]),
        variants=tuple(tuple(family) for family in content["variants"]),
        skip=dict(content["skip"]),
    )
    both = set(splits.evaluation) & set(splits.validation)
    if both:
        raise DustError(
            f"held out twice: {', '.join(sorted(both))}", where=str(path), fix="keep one of the two"
        )
    for family in splits.variants:
        sides = {splits.side(level) for level in family}
        if len(sides) > 1:
            raise DustError(
                f"variants of one level stand on different sides: {', '.join(family)}",
                where=str(path),
                fix=f"put all of them on one of: {', '.join(sorted(sides))}",
            )
    return splits
