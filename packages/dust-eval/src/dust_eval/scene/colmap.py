"""A scene as a model of COLMAP in text, which other tools take, such as Gaussian splatting.

Format: https://colmap.github.io/format.html. The world is the scene's, in its own unit.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from dust_core.files import atomic_path, atomic_write_text
from dust_core.pairs.pictures.photographs import Photograph
from dust_core.visible import plain_stem
from dust_eval.scene.align import Scene
from dust_eval.scene.cloud import Cloud

_MOST_POINTS = 200_000  # tools start from fewer; the PLY has all
_HALF = 0.5  # COLMAP has the corner of the first pixel at 0, we its centre


def write_model(
    folder: Path, scene: Scene, cloud: Cloud, photographs: Sequence[Photograph]
) -> None:
    """Write `images/` and `sparse/0/{cameras,images,points3D}.txt` into a folder.

    The images are the network's, for which the focal lengths are: other tools need no EXIF
    orientation and no cropping. Where parts are masked or transparent, `masks/` has COLMAP's masks.

    Raises:
        DustError: a file cannot be written.
    """
    sparse = folder / "sparse" / "0"
    cameras, images = ["# CAMERA_ID MODEL WIDTH HEIGHT fx fy cx cy"], ["# pose, then points"]
    for number, (photograph, focal, pose) in enumerate(
        zip(photographs, scene.focals, scene.cam_to_world, strict=True), 1
    ):
        width, height = photograph.placement.size
        centre = f"{(width - 1) / 2 + _HALF} {(height - 1) / 2 + _HALF}"
        cameras.append(f"{number} PINHOLE {width} {height} {focal} {focal} {centre}")
        camera_from_world = np.linalg.inv(pose)
        x, y, z, w = Rotation.from_matrix(camera_from_world[:3, :3]).as_quat()
        moved = " ".join(str(float(value)) for value in camera_from_world[:3, 3])
        name = f"{number:06d}_{plain_stem(photograph.name)}.png"
        images += [f"{number} {w} {x} {y} {z} {moved} {number} {name}", ""]
        with atomic_path(folder / "images" / name) as temporary:
            Image.fromarray(photograph.square).save(temporary, "PNG")
        if photograph.opaque is not None:
            with atomic_path(folder / "masks" / f"{name}.png") as temporary:
                Image.fromarray(photograph.shown()).convert("L").save(temporary, "PNG")
    points = ["# POINT3D_ID X Y Z R G B ERROR TRACK[]"]
    step = -(-len(cloud.points) // _MOST_POINTS)
    for number, (point, colour) in enumerate(
        zip(cloud.points[::step].tolist(), cloud.colours[::step].tolist(), strict=True), 1
    ):
        points.append(f"{number} {' '.join(map(str, point))} {' '.join(map(str, colour))} 0")
    for file, lines in (("cameras", cameras), ("images", images), ("points3D", points)):
        atomic_write_text(sparse / f"{file}.txt", "\n".join(lines) + "\n")
