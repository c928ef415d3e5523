"""A textured room seen by cameras of any intrinsics, and its frames in the layouts of data sets.

Colours and depths come from intersecting rays with six walls, so that everything an adapter does
can be compared with what it should be.
"""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dust_core.pairs.importing.lens import Lens

WIDTH, HEIGHT = 96, 72
K = np.array([[80.0, 0, 46.3], [0, 82.0, 36.9], [0, 0, 1]])
AXIS = np.array([0.2, 0.9, 0.3]) / np.linalg.norm([0.2, 0.9, 0.3])
COUNT = 5


def angle(time: float) -> float:
    return 0.3 * math.sin(0.8 * time)


def quaternion(time: float) -> np.ndarray:
    """w, x, y, z of the camera's rotation, camera to world."""
    half = angle(time) / 2
    return np.array([math.cos(half), *(math.sin(half) * AXIS)])


def camera(time: float) -> np.ndarray:
    """cam_to_world (4, 4) of a camera that wanders before the far wall; Rodrigues' formula."""
    x, y, z = AXIS
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = angle(time)
    pose = np.eye(4)
    pose[:3, :3] += math.sin(turn) * cross + (1 - math.cos(turn)) * cross @ cross
    pose[:3, 3] = [0.5 * math.cos(time), 0.2 * math.sin(2 * time), 0.1 * time]
    return pose


def view(
    cam_to_world: np.ndarray, k: np.ndarray = K, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, 3) uint8 and depth (H, W) of a room of 4 x 3 m, 3.5 m deep."""
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(k).T
    return _seen(cam_to_world, rays)


def _seen(cam_to_world: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and depth along rays (H, W, 3) whose z is 1."""
    directions = rays @ cam_to_world[:3, :3].T
    origin = cam_to_world[:3, 3]
    with np.errstate(divide="ignore"):
        hits = [
            (np.where(directions[..., axis] >= 0, high, low) - origin[axis]) / directions[..., axis]
            for axis, (low, high) in enumerate([(-2, 2), (-1.5, 1.5), (-2, 3.5)])
        ]
    depth = np.min(hits, 0)
    points = origin + directions * depth[..., None]
    colour = 127 + 60 * np.sin(4 * points + [0, 1, 2]) + 60 * np.sin(3 * points[..., ::-1])
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8), depth


def distorted_view(
    cam_to_world: np.ndarray, rays: np.ndarray, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> tuple[np.ndarray, np.ndarray]:
    """The room through a lens that sends the ray (x, y, 1) of `rays` (H, W, 2) to each pixel."""
    return _seen(cam_to_world, np.concatenate([rays, np.ones((*size, 1))], -1))


def bent(lens: Lens, rays: np.ndarray) -> np.ndarray:
    """Where a lens sends rays (..., 2) at z = 1, by the formulas of OpenCV's manual."""
    x, y = rays[..., 0], rays[..., 1]
    square = x * x + y * y
    if lens.kind == "fisheye":
        k = lens.coefficients
        radius = np.maximum(np.sqrt(square), 1e-12)
        angle = np.arctan(radius)
        bend = angle * (1 + sum(k[n] * angle ** (2 * n + 2) for n in range(4))) / radius
        return rays * bend[..., None]
    k1, k2, p1, p2, k3 = (*lens.coefficients, 0.0)[:5]
    bend = 1 + k1 * square + k2 * square**2 + k3 * square**3
    aside = [
        2 * p1 * x * y + p2 * (square + 2 * x * x),
        p1 * (square + 2 * y * y) + 2 * p2 * x * y,
    ]
    return rays * bend[..., None] + np.stack(aside, -1)


def rays_of(lens: Lens, k: np.ndarray = K) -> np.ndarray:
    """(H, W, 2): the ray, at z = 1, that falls on each pixel; found by going back and forth."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    seen = np.stack([(columns - k[0, 2]) / k[0, 0], (rows - k[1, 2]) / k[1, 1]], -1)
    rays = seen
    for _ in range(200):
        rays = rays + 0.5 * (seen - bent(lens, rays))
    assert np.abs(bent(lens, rays) - seen).max() < 1e-6
    return rays


def save_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def save_depth(path: Path, depth: np.ndarray, unit_m: float) -> None:
    save_image(path, np.rint(depth / unit_m).astype(np.uint16))


def numbers(matrix: np.ndarray) -> str:
    return "\n".join(" ".join(repr(float(n)) for n in row) for row in np.atleast_2d(matrix)) + "\n"


@dataclass(frozen=True)
class Miniature:
    """A data set in its layout: what to import, with which options, and where its cameras are."""

    layout: str
    source: Path
    options: dict[str, Any]
    poses: dict[str, np.ndarray]
    scene: str = "room"


def seven_scenes(root: Path) -> Miniature:
    folder = root / "7-scenes" / "room" / "seq-01"
    poses = {}
    for n in range(COUNT):
        image, depth = view(camera(n))
        depth[:3] = 65.535  # the sign for unknown
        stem = f"frame-{n:06d}"
        save_image(folder / f"{stem}.color.png", image)
        save_depth(folder / f"{stem}.depth.png", depth, 0.001)
        (folder / f"{stem}.pose.txt").write_text(numbers(camera(n)))
        poses[f"seq-01/{stem}"] = camera(n)
    k = ",".join(str(K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Miniature("7-scenes", root / "7-scenes", {"intrinsics": k}, poses)


def seven_scenes_unregistered(root: Path) -> Miniature:
    """The tracked camera is the depth camera; the colour camera is beside it and sees less."""
    folder = root / "7-scenes" / "room" / "seq-02"
    depth_k = np.array([[110.0, 0, 80], [0, 110.0, 60], [0, 0, 1]])
    colour_from_depth = np.eye(4)
    colour_from_depth[:3, :3] = camera(0.3)[:3, :3]
    colour_from_depth[:3, 3] = [0.05, -0.02, 0.01]
    poses = {}
    for n in range(COUNT):
        colour_pose = camera(n) @ np.linalg.inv(colour_from_depth)
        stem = f"frame-{n:06d}"
        save_image(folder / f"{stem}.color.png", view(colour_pose)[0])
        depth = view(camera(n), depth_k, (120, 160))[1]
        save_depth(folder / f"{stem}.depth.png", depth, 0.001)
        (folder / f"{stem}.pose.txt").write_text(numbers(camera(n)))
        poses[f"seq-02/{stem}"] = colour_pose
    (folder / "intrinsics.K.txt").write_text(numbers(K))
    (root / "depth_K.txt").write_text(numbers(depth_k))
    (root / "extrinsics.txt").write_text(numbers(colour_from_depth))
    options = {
        "depth_intrinsics": str(root / "depth_K.txt"),
        "colour_from_depth": root / "extrinsics.txt",
    }
    return Miniature("7-scenes", root / "7-scenes", options, poses)


def tum(root: Path) -> Miniature:
    """Images every 40 ms, depth 6 ms later, poses at 500 Hz in between; the last has no depth."""
    folder = root / "room"
    (folder / "rgb").mkdir(parents=True)
    step, start = 0.04, 1305031102.0
    colours, depths, truth, poses = ["# timestamp filename"], ["# depth"], ["# pose"], {}

    def moment(seconds: float) -> float:
        return seconds / step  # the camera is at camera(n) when image n is taken

    for n in range(COUNT + 1):
        image, depth = view(camera(n))
        time = start + n * step
        save_image(folder / "rgb" / f"{n}.png", image)
        colours.append(f"{time:.6f} rgb/{n}.png")
        if n < COUNT:
            save_depth(folder / "depth" / f"{n}.png", depth, 1 / 5000)
            depths.append(f"{time + 0.006:.6f} depth/{n}.png")
            poses[str(n)] = camera(n)
    for tick in range(-3, 40 * COUNT):
        seconds = tick * 0.002 + 0.001
        w, x, y, z = quaternion(moment(seconds)) * (-1) ** tick
        where = camera(moment(seconds))[:3, 3]
        row = " ".join(f"{number:.7f}" for number in (*where, x, y, z, w))
        truth.append(f"{start + seconds:.6f} {row}")
    for name, lines in (("rgb", colours), ("depth", depths), ("groundtruth", truth)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (root / "K.txt").write_text(numbers(K))
    return Miniature("tum", root, {"intrinsics": str(root / "K.txt")}, poses)


def _colmap(root: Path) -> tuple[Path, list[tuple[str, np.ndarray, np.ndarray]]]:
    """Images and COLMAP's depth maps; name, quaternion and translation, world to camera."""
    folder, images = root / "room" / "dense", []
    for n in range(COUNT):
        image, depth = view(camera(n))
        name = f"left/{n}.png"
        save_image(folder / "images" / name, image)
        path = folder / "stereo" / "depth_maps" / f"{name}.geometric.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        in_units = (depth / 2).astype("<f4").tobytes()
        path.write_bytes(f"{WIDTH}&{HEIGHT}&1&".encode() + in_units)
        turned = quaternion(n) * [1, -1, -1, -1]
        images.append((name, turned, np.linalg.inv(camera(n))[:3, 3] / 2))
    (folder / "sparse").mkdir()
    return folder, images


def colmap_text(root: Path) -> Miniature:
    folder, images = _colmap(root)
    centre = f"{K[0, 2] + 0.5} {K[1, 2] + 0.5}"
    (folder / "sparse" / "cameras.txt").write_text(
        f"# Cameras\n7 OPENCV {WIDTH} {HEIGHT} {K[0, 0]} {K[1, 1]} {centre} 0 0 0 0\n"
    )
    lines = ["# Images, two lines each"]
    for number, (name, turned, moved) in enumerate(images, 1):
        pose = " ".join(repr(float(value)) for value in (*turned, *moved))
        lines += [f"{number} {pose} 7 {name}", "" if number % 2 else "10.0 12.5 -1"]
    (folder / "sparse" / "images.txt").write_text("\n".join(lines) + "\n")
    poses = {name: camera(n) for n, (name, _, _) in enumerate(images)}
    return Miniature("colmap", root, {"metres_per_unit": 2.0}, poses)


def colmap_binary(root: Path) -> Miniature:
    folder, images = _colmap(root)
    pinhole = struct.pack("<4d", K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5)
    (folder / "sparse" / "cameras.bin").write_bytes(
        struct.pack("<QiiQQ", 1, 7, 1, WIDTH, HEIGHT) + pinhole
    )
    content = struct.pack("<Q", len(images))
    for number, (name, turned, moved) in enumerate(images, 1):
        content += struct.pack("<i7di", number, *turned, *moved, 7) + name.encode() + b"\0"
        points = number % 3
        content += struct.pack("<Q", points) + struct.pack("<ddq", 1, 2, -1) * points
    (folder / "sparse" / "images.bin").write_bytes(content)
    poses = {name: camera(n) for n, (name, _, _) in enumerate(images)}
    return Miniature("colmap", root, {"metres_per_unit": 2.0}, poses)


def _rows(root: Path) -> list[dict[str, Any]]:
    rows = []
    for n in range(COUNT):
        image, depth = view(camera(n))
        save_image(root / f"{n}.png", image)
        np.save(root / f"{n}.npy", depth)
        mask = np.full(depth.shape, 255, np.uint8)
        mask[:, :5] = 0
        save_image(root / f"{n}.mask.png", mask)
        row = {"scene": "room", "image": f"{n}.png", "depth": f"{n}.npy", "mask": f"{n}.mask.png"}
        rows.append(row | {"K": K.tolist(), "cam_to_world": camera(n).tolist()})
    return rows


def manifest_json(root: Path) -> Miniature:
    root.mkdir(exist_ok=True)
    (root / "frames.json").write_text(json.dumps(_rows(root)))
    poses = {f"{n}.png": camera(n) for n in range(COUNT)}
    return Miniature("manifest", root / "frames.json", {}, poses)


def manifest_csv(root: Path) -> Miniature:
    """Cameras in the cells of some rows and in files in others."""
    root.mkdir(exist_ok=True)
    lines = ["scene,image,depth,K,cam_to_world"]
    (root / "K.txt").write_text(numbers(K))
    for n, row in enumerate(_rows(root)):
        pose = " ".join(repr(float(value)) for value in camera(n).ravel())
        if n % 2:
            (root / f"{n}.pose.txt").write_text(pose)
            pose = f"{n}.pose.txt"
        k = '"80, 82, 46.3, 36.9"' if n % 2 else "K.txt"
        lines.append(f"{row['scene']},{row['image']},{row['depth']},{k},{pose}")
    (root / "frames.csv").write_text("\n".join(lines) + "\n")
    poses = {f"{n}.png": camera(n) for n in range(COUNT)}
    return Miniature("manifest", root / "frames.csv", {}, poses)


def save_pfm(path: Path, values: np.ndarray) -> None:
    header = f"Pf\n{values.shape[1]} {values.shape[0]}\n-1.0\n"
    path.write_bytes(header.encode() + values[::-1].astype("<f4").tobytes())


def middlebury(root: Path, disparities: int = 2) -> Miniature:
    folder = root / "room"
    folder.mkdir(parents=True)
    baseline, offset = 0.193, 4.5
    right_k = K.copy()
    right_k[0, 2] += offset
    beside = np.eye(4)
    beside[0, 3] = baseline
    poses = {"im0": camera(2), "im1": camera(2) @ beside}
    for index, k in enumerate((K, right_k)):
        image, depth = view(poses[f"im{index}"], k)
        save_image(folder / f"im{index}.png", image)
        disparity = baseline * K[0, 0] / depth - offset
        disparity[:2] = np.inf
        if index < disparities:
            save_pfm(folder / f"disp{index}.pfm", disparity)
    flat = ["; ".join(" ".join(map(str, row)) for row in k.tolist()) for k in (K, right_k)]
    (folder / "calib.txt").write_text(
        f"cam0=[{flat[0]}]\ncam1=[{flat[1]}]\ndoffs={offset}\nbaseline={1000 * baseline}\n"
        f"width={WIDTH}\nheight={HEIGHT}\nndisp=64\n"
    )
    return Miniature("middlebury", root, {}, poses)


def middlebury_left_only(root: Path) -> Miniature:
    return middlebury(root, disparities=1)


MINIATURES: list[Callable[[Path], Miniature]] = [
    seven_scenes,
    seven_scenes_unregistered,
    tum,
    colmap_text,
    colmap_binary,
    manifest_json,
    manifest_csv,
    middlebury,
    middlebury_left_only,
]
