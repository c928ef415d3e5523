"""The cameras of TUM RGB-D and Bonn as their makers publish them, by a part of a folder's name.

The colour images of freiburg1, freiburg2 and Bonn are distorted, those of freiburg3 are rectified.
Sources: https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats and
https://www.ipb.uni-bonn.de/data/rgbd-dynamic-dataset/
"""

from dataclasses import dataclass

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import camera_matrix
from dust_core.pairs.importing.camera import Camera
from dust_core.pairs.importing.lens import lens_or_none

_SIZE = (640, 480)
# Of Bonn: the axes of its motion capture in those of ROS, and the camera on the marker. The data
# set combines them as T_ros @ pose @ T_ros @ T_m.
_T_ROS = np.array([[-1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
_T_M = np.array(
    [
        [1.0157, 0.1828, -0.2389, 0.0113],
        [0.0009, -0.8431, -0.6413, -0.0098],
        [-0.3009, 0.6147, -0.8085, 0.0111],
        [0, 0, 0, 1],
    ]
)


@dataclass(frozen=True)
class Recorder:
    """What recorded a sequence.

    Attributes:
        numbers: fx, fy, cx, cy of the colour camera, pixels.
        distortion: k1, k2, p1, p2, k3 as OpenCV has them; empty where images are rectified.
        marker: whether poses are those of a marker on the camera.
    """

    numbers: tuple[float, float, float, float]
    distortion: tuple[float, ...] = ()
    marker: bool = False

    def camera(self, where: str) -> Camera:
        """The camera that the data set states."""
        lens = lens_or_none("radial", np.array(self.distortion), where)
        return Camera(camera_matrix(np.array(self.numbers), where), _SIZE, lens)

    def cam_to_world(self, pose: Floats) -> Floats:
        """The camera's pose (4, 4) for a pose of the data set.

        The 3x3 part of Bonn's T_m is a rotation times 1.059, since it was fitted to map a model
        of the sensor onto a laser scan. Its rotation alone belongs to a pose.
        """
        if not self.marker:
            return pose
        camera_on_marker = _T_M.copy()
        left, _, right = np.linalg.svd(_T_M[:3, :3])
        camera_on_marker[:3, :3] = left @ right
        return np.asarray(_T_ROS @ pose @ _T_ROS @ camera_on_marker)


RECORDERS = {
    "freiburg1": Recorder((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": Recorder(
        (520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)
    ),
    "freiburg3": Recorder((535.4, 539.2, 320.1, 247.6)),
    "bonn": Recorder(
        (542.822841, 542.576870, 315.593520, 237.756098),
        (0.039903, -0.099343, -0.000730, -0.000144, 0.0),
        marker=True,
    ),
}


def recorder_of(scene: str) -> Recorder | None:
    """What recorded the scene, by its name; None if its name does not say."""
    return next((value for part, value in RECORDERS.items() if part in scene.lower()), None)


def recorder_named(name: str) -> Recorder:
    """A recorder by its name.

    Raises:
        DustError: there is none of this name.
    """
    if name not in RECORDERS:
        raise DustError(f"the recorder {name} is not known", fix=f"one of {', '.join(RECORDERS)}")
    return RECORDERS[name]
