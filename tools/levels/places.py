"""Eye positions for photographs in a level."""

import re

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from levels.bsp import Level, origin
from levels.space import SOLID, UNIT_M

_WALKED = re.compile(r"info_player|item_|weapon_|ammo_|team_|holdable_|target_position|path_corner")
_REACH_M = 20.0
_TRIES = 200


class Places:
    """Draws eye positions all over the open space of a level.

    40 % are near a spot where players start or find things, 35 % are on the way between two such
    spots, and the rest are anywhere in the air. A place is only known to be outside walls: a
    preview shows whether its view is useful.
    """

    def __init__(self, level: Level) -> None:
        """Find the open space of `level`.

        Raises:
            DustError: the level has too few places.
        """
        self._level = level
        spots = [
            origin(entity) * UNIT_M
            for entity in level.entities
            if _WALKED.match(entity.get("classname", "")) and "origin" in entity
        ]
        self._spots = np.array(spots, dtype=np.float64).reshape(-1, 3)
        open_leaves = level.space.leaves[level.space.leaves["cluster"] > SOLID]
        self._boxes = open_leaves["box"].astype(np.float64).reshape(-1, 2, 3) * UNIT_M
        # The square root: the interest of a leaf grows more slowly than its volume.
        weight = np.sqrt(np.prod(np.maximum(self._boxes[:, 1] - self._boxes[:, 0], 0), axis=1))
        if len(self._spots) < 2 or weight.sum() == 0:
            raise DustError(
                "there are not two places to stand in this level",
                where=level.name,
                fix="list it under [skip] in splits.toml",
            )
        self._chance = weight / weight.sum()

    def draw(self, random: np.random.Generator) -> NDArray[np.float64]:
        """(3,) an eye position in open space, metres.

        Raises:
            DustError: many tries found no position.
        """
        for _ in range(_TRIES):
            kind = random.random()
            if kind < 0.4:
                eye = self._near_a_spot(random)
            elif kind < 0.75:
                eye = self._between_spots(random)
            else:
                box = self._boxes[random.choice(len(self._boxes), p=self._chance)]
                eye = random.uniform(box[0], box[1])
            if self.is_free(eye):
                return eye
        raise DustError(
            f"no open space found in {_TRIES} tries",
            where=self._level.name,
            fix="list the level under [skip] in splits.toml",
        )

    def is_free(self, eye: NDArray[np.float64]) -> bool:
        """Whether `eye` (3,) is in open space."""
        return self._level.space.is_free(eye)

    def _near_a_spot(self, random: np.random.Generator) -> NDArray[np.float64]:
        spot = self._spots[random.integers(len(self._spots))]
        spread = (*random.normal(0.0, 0.8, 2), random.uniform(0.2, 1.9))
        return np.asarray(spot + np.array(spread))

    def _between_spots(self, random: np.random.Generator) -> NDArray[np.float64]:
        start = self._spots[random.integers(len(self._spots))]
        near = np.flatnonzero(np.linalg.norm(self._spots - start, axis=1) < _REACH_M)
        end = self._spots[random.choice(near)]
        up = np.array([0.0, 0.0, random.uniform(0.2, 2.2)])
        return np.asarray(start + random.random() * (end - start) + up)
