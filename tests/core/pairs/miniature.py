"""A room whose images, depths and cameras have a closed form."""

import math

import numpy as np

from dust_core.pairs.feed.order import Augmentation
from dust_core.pairs.shards.sample import PairSample

SIDE = 64
INTRINSICS = np.array([[60, 0, 31.5], [0, 60, 31.5], [0, 0, 1]], np.float32)
VARIED = Augmentation(smallest_crop=0.8, flip=0.5, brightness=1.3, contrast=1.2, saturation=1.3)


def camera(number: int) -> np.ndarray:
    """world_from_camera of a camera that looks at the room's far wall, a little aside."""
    angle = 0.06 * math.sin(number)
    pose = np.eye(4)
    pose[:3, :3] = [
        [math.cos(angle), 0, math.sin(angle)],
        [0, 1, 0],
        [-math.sin(angle), 0, math.cos(angle)],
    ]
    pose[:3, 3] = [0.15 * math.cos(number), 0.1 * math.sin(2 * number), 0.05 * number % 0.3]
    return pose


def view(world_from_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and depth of a box room, 4 x 3 m and 5 m deep, with smooth colours on its walls."""
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(INTRINSICS).T
    directions = rays @ world_from_camera[:3, :3].T
    origin = world_from_camera[:3, 3]
    with np.errstate(divide="ignore"):
        hits = [
            (np.where(directions[..., axis] > 0, high, low) - origin[axis]) / directions[..., axis]
            for axis, (low, high) in enumerate([(-2, 2), (-1.5, 1.5), (-1, 5)])
        ]
    depth = np.min(hits, 0)
    points = origin + directions * depth[..., None]
    colour = 127 + 100 * np.sin(2 * points + [0, 1, 2])
    return colour.astype(np.uint8), depth.astype(np.float32)


def pair(first: int, second: int, scene: str = "room") -> PairSample:
    poses = [camera(n) for n in (first, second)]
    views = [view(pose) for pose in poses]
    return PairSample(
        images=(views[0][0], views[1][0]),
        depths=(views[0][1], views[1][1]),
        intrinsics=(INTRINSICS, INTRINSICS),
        view1_from_view2=(np.linalg.inv(poses[0]) @ poses[1]).astype(np.float32),
        about={"scene": scene, "images": [f"{first}", f"{second}"], "split": "training"},
    )
