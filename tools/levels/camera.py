"""Cameras in the axes of computer vision: x right, y down, z forward.

The world is the level's: metres, z up.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pictures and the principal point in their middle.

    Attributes:
        cam_to_world: (4, 4) rigid; takes points of the camera to the world, metres.
        fov_deg: the angle between the left and the right edge of the picture, degrees.
    """

    cam_to_world: Matrix
    fov_deg: float

    @classmethod
    def at(
        cls, eye: Matrix, *, yaw: float, pitch: float, roll: float = 0.0, fov_deg: float
    ) -> "Camera":
        """A camera at `eye` (3,), metres.

        Args:
            yaw: heading around the vertical, radians, counter-clockwise from the x axis.
            pitch: upwards from the horizon, radians.
            roll: clockwise around the line of sight, radians.
        """
        forward = np.array(
            [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)]
        )
        right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
        down = np.cross(forward, right)
        pose = np.eye(4)
        pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
        pose[:3, 1] = np.cos(roll) * down - np.sin(roll) * right
        pose[:3, 2] = forward
        pose[:3, 3] = eye
        return cls(pose, fov_deg)

    @property
    def eye(self) -> Matrix:
        """(3,) its position, metres."""
        return self.cam_to_world[:3, 3]

    @cached_property
    def world_to_cam(self) -> Matrix:
        """(4, 4) the inverse of `cam_to_world`."""
        rotation = self.cam_to_world[:3, :3].T
        inverse = np.eye(4)
        inverse[:3, :3] = rotation
        inverse[:3, 3] = -rotation @ self.eye
        return inverse

    def intrinsics(self, size: int) -> Matrix:
        """(3, 3) K for pictures of `size` x `size` whose pixel (i, j) has its centre at (j, i)."""
        focal = size / 2 / np.tan(np.radians(self.fov_deg) / 2)
        centre = (size - 1) / 2
        return np.array([[focal, 0.0, centre], [0.0, focal, centre], [0.0, 0.0, 1.0]])

    def clip_from_world(self, near: float = 0.05, far: float = 500.0) -> Matrix:
        """(4, 4) OpenGL's clip space, the picture upside down: reading it from the bottom, as
        OpenGL does, gives rows from the top. w is the depth."""
        focal = 1 / np.tan(np.radians(self.fov_deg) / 2)
        projection = np.zeros((4, 4))
        projection[0, 0] = projection[1, 1] = focal
        projection[2, 2] = (far + near) / (far - near)
        projection[2, 3] = -2 * far * near / (far - near)
        projection[3, 2] = 1.0
        return projection @ self.world_to_cam


def heading(direction: Matrix) -> tuple[float, float]:
    """Yaw and pitch, radians, of a camera that looks along `direction` (3,)."""
    return (
        float(np.arctan2(direction[1], direction[0])),
        float(np.arctan2(direction[2], np.hypot(direction[0], direction[1]))),
    )


def first_from_second(first: Camera, second: Camera) -> Matrix:
    """(4, 4) takes points of the second camera to the first."""
    return first.world_to_cam @ second.cam_to_world
