"""Where there is room in a level, and what can be seen from there."""

import struct

import numpy as np

from levels.bsp import LEAF, NODE, PLANE
from levels.space import UNIT_M, Space, build_space


def two_rooms(table: bytes) -> Space:
    """Two half-spaces, each a cluster. Face 0 is in the first, 1 in both, 2 in the second, and 3
    is a door that no leaf knows of."""
    planes = np.array([((1.0, 0.0, 0.0), 0.0)], dtype=PLANE)
    nodes = np.zeros(1, dtype=NODE)
    nodes["children"] = [(-1, -2)]
    leaves = np.zeros(2, dtype=LEAF)
    leaves["cluster"] = [0, 1]
    in_leaves = [np.array([0, 1], dtype=np.int32), np.array([1, 2], dtype=np.int32)]
    return build_space(planes, nodes, leaves, in_leaves, 4, table)


# Cluster 0 sees itself alone; cluster 1 sees both. Lowest bit first, one byte a row.
TABLE = struct.pack("<2i", 2, 1) + bytes([0b01, 0b11])


def test_a_point_is_in_the_room_on_its_side_of_the_plane() -> None:
    points = np.array([[5.0, 0, 0], [-5.0, 0, 0]]) * UNIT_M
    assert [two_rooms(TABLE).cluster(point) for point in points] == [0, 1]
    assert all(two_rooms(TABLE).is_free(point) for point in points)


def test_only_what_a_room_sees_is_drawn_from_it() -> None:
    space = two_rooms(TABLE)
    assert space.visible(0).tolist() == [True, True, False, True]
    assert space.visible(1).tolist() == [True, True, True, True]


def test_all_is_drawn_from_outside_and_where_there_is_no_table() -> None:
    assert two_rooms(TABLE).visible(-1).all()
    assert two_rooms(b"").visible(0).all()
