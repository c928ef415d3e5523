"""The space of a level: its open places, and the faces visible from them.

A level divides space by planes into leaves; leaves with the same view are a cluster. The table of
visible clusters is conservative: an excluded cluster is certainly hidden and need not be drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIT_M = 0.03
"""Metres a unit of the level: a player of 56 units is 1.7 m tall."""

SOLID = -1
"""The cluster of points inside walls or outside the level."""


@dataclass(frozen=True)
class Space:
    """The tree of planes of a level and its table of visibility.

    Attributes:
        planes: (P,) records of normal and distance, in units of the level.
        nodes: (N,) records of a plane and two children: nodes, or leaves as -(leaf + 1).
        leaves: (L,) records of a cluster and a box.
        sees: (C, C) whether the row's cluster sees the column's; 0 x 0 where there is no table.
        reaches: (E, 2) which face of the level reaches into which cluster: cluster, face.
        everywhere: (F,) faces that are not in the table: doors and other moving parts.
    """

    planes: NDArray[np.void]
    nodes: NDArray[np.void]
    leaves: NDArray[np.void]
    sees: NDArray[np.bool_]
    reaches: NDArray[np.int32]
    everywhere: NDArray[np.bool_]

    def cluster(self, point_m: NDArray[np.float64]) -> int:
        """The cluster of a point (3,), metres; negative where there is no room.

        Doors, curved surfaces and props are not in the tree: only the depth around a point shows
        whether the point is inside such a part.
        """
        planes, nodes, leaves = self._lists
        x, y, z = (point_m / UNIT_M).tolist()
        node = 0
        while node >= 0:
            plane, children = nodes[node]
            (a, b, c), distance = planes[plane]
            node = children[a * x + b * y + c * z < distance]
        return leaves[-(node + 1)]

    @cached_property
    def _lists(self) -> tuple[list[Any], list[Any], list[int]]:
        """The tree as lists: planes, nodes with their planes and children, clusters of leaves."""
        planes = zip(self.planes["normal"].tolist(), self.planes["distance"].tolist(), strict=True)
        nodes = zip(self.nodes["plane"].tolist(), self.nodes["children"].tolist(), strict=True)
        return list(planes), list(nodes), self.leaves["cluster"].tolist()

    def is_free(self, point_m: NDArray[np.float64]) -> bool:
        """Whether the point (3,), metres, is in open space."""
        return self.cluster(point_m) > SOLID

    def visible(self, cluster: int) -> NDArray[np.bool_]:
        """(F,) the faces that may be seen from `cluster`; from outside of the level, all."""
        if not 0 <= cluster < len(self.sees):
            return np.ones(len(self.everywhere), dtype=np.bool_)
        seen = self.everywhere.copy()
        seen[self.reaches[self.sees[cluster][self.reaches[:, 0]], 1]] = True
        return seen


def build_space(
    planes: NDArray[np.void],
    nodes: NDArray[np.void],
    leaves: NDArray[np.void],
    leaf_faces: Sequence[NDArray[np.int32]],
    faces: int,
    table: bytes,
) -> Space:
    """Gather the space of a level.

    Args:
        leaf_faces: for each leaf the faces that reach into it.
        faces: how many faces the level has.
        table: number of clusters and bytes a row (int32 each), then rows of bits; may be empty.

    Raises:
        ValueError: the table is shorter than its header says.
    """
    sees = np.zeros((0, 0), dtype=np.bool_)
    if table:
        clusters, row = (int(number) for number in np.frombuffer(table, "<i4", 2))
        bits = np.frombuffer(table, np.uint8, clusters * row, 8).reshape(clusters, row)
        bits = np.unpackbits(bits, axis=1, count=clusters, bitorder="little")
        sees = np.asarray(bits, dtype=np.bool_)
    of_leaves = np.repeat(leaves["cluster"], [len(own) for own in leaf_faces])
    reaches = np.stack([of_leaves, np.concatenate([*leaf_faces, []])], axis=1).astype(np.int32)
    reaches = np.unique(reaches[(reaches[:, 0] >= 0) & (reaches[:, 0] < len(sees))], axis=0)
    everywhere = np.ones(faces, dtype=np.bool_)
    everywhere[reaches[:, 1]] = False
    return Space(planes, nodes, leaves, sees, reaches, everywhere)
