"""The room in the layouts of published data sets, by the formulas that their makers document."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from adapter_room import (
    AXIS,
    COUNT,
    HEIGHT,
    WIDTH,
    K,
    Miniature,
    angle,
    camera,
    distorted_view,
    numbers,
    quaternion,
    rays_of,
    save_depth,
    save_image,
    save_pfm,
    view,
)
from exr_files import save_exr
from PIL import Image

from dust_core.pairs.importing.lens import Lens

FISHEYE = Lens("fisheye", (0.03, -0.01, 0.002, 0.0))
START = 0.5  # no camera looks straight at a wall
FLIP_YZ = np.diag([1.0, -1.0, -1.0, 1.0])  # between the axes of OpenGL and of OpenCV


def larger(k: np.ndarray, across: float, down: float) -> np.ndarray:
    """K of a picture enlarged or reduced: the middle of a pixel is at its number plus a half."""
    new = k.copy()
    new[0] *= across
    new[1] *= down
    new[0, 2] = (k[0, 2] + 0.5) * across - 0.5
    new[1, 2] = (k[1, 2] + 0.5) * down - 0.5
    return new


def four(matrix: np.ndarray) -> np.ndarray:
    whole = np.eye(4)
    whole[:3, :3] = matrix
    return whole


def _scannet(root: Path, size: tuple[int, int]) -> Miniature:
    """Colour of 1296x968 reduced to `size`, and depth of 640x480 reduced to 160x120, with a lens
    and a centre of its own."""
    folder = root / "scannet" / "scene0007_01"
    colour_k = np.array([[1100.0, 0, 660.5], [0, 1120.0, 470.2], [0, 0, 1]])
    depth_k = np.array([[560.0, 0, 310.3], [0, 565.0, 246.1], [0, 0, 1]])
    (folder / "intrinsic").mkdir(parents=True)
    for kind, k in (("color", colour_k), ("depth", depth_k)):
        (folder / "intrinsic" / f"intrinsic_{kind}.txt").write_text(numbers(four(k)))
        (folder / "intrinsic" / f"extrinsic_{kind}.txt").write_text(numbers(np.eye(4)))
    (folder / "pose").mkdir()
    poses = {}
    for n in range(COUNT):
        k = larger(colour_k, size[0] / 1296, size[1] / 968)
        save_image(folder / "color" / f"{n}.jpg", view(camera(n + START), k, size[::-1])[0])
        depth = view(camera(n + START), larger(depth_k, 1 / 4, 1 / 4), (120, 160))[1]
        save_depth(folder / "depth" / f"{n}.png", depth, 0.001)
        (folder / "pose" / f"{n}.txt").write_text(numbers(camera(n + START)))
        poses[f"scene0007_01/{n}"] = camera(n + START)
    return Miniature("scannet", root / "scannet", {}, poses, "scene0007")


def scannet(root: Path) -> Miniature:
    return _scannet(root, (324, 242))


def scannet_resized(root: Path) -> Miniature:
    return _scannet(root, (160, 120))


def _colmap_text(folder: Path, model: str, names: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(f"1 {model}\n")
    lines = []
    for n, name in enumerate(names):
        turned = quaternion(n + START) * [1, -1, -1, -1]
        moved = np.linalg.inv(camera(n + START))[:3, 3]
        pose = " ".join(repr(float(value)) for value in (*turned, *moved))
        lines += [f"{n + 1} {pose} 1 {name}", "1.0 2.0 -1"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def scannetpp_iphone(root: Path) -> Miniature:
    """Pictures of four times the depth's side."""
    folder = root / "data" / "room" / "iphone"
    k = larger(K, 4, 4)
    poses, names = {}, []
    for n in range(COUNT):
        name = f"frame_{10 * n:06d}"
        save_image(
            folder / "rgb" / f"{name}.jpg", view(camera(n + START), k, (4 * HEIGHT, 4 * WIDTH))[0]
        )
        save_depth(folder / "depth" / f"{name}.png", view(camera(n + START))[1], 0.001)
        poses[f"iphone/{name}.jpg"] = camera(n + START)
        names.append(f"video/{name}.jpg")
    lens = f"{k[0, 0]} {k[1, 1]} {k[0, 2] + 0.5} {k[1, 2] + 0.5} 0 0 0 0"
    _colmap_text(folder / "colmap", f"OPENCV {4 * WIDTH} {4 * HEIGHT} {lens}", names)
    (root / "data" / "room" / "dslr" / "colmap").mkdir(parents=True)
    return Miniature("scannet++", root / "data", {"device": "iphone"}, poses)


def scannetpp_dslr(root: Path) -> Miniature:
    """A fisheye: pictures and rendered depth are bent alike."""
    folder = root / "data" / "room" / "dslr"
    rays = rays_of(FISHEYE)
    poses, names = {}, []
    for n in range(COUNT):
        image, depth = distorted_view(camera(n + START), rays)
        save_image(folder / "resized_images" / f"DSC{n:05d}.JPG", image)
        save_depth(folder / "render_depth" / f"DSC{n:05d}.png", depth, 0.001)
        poses[f"dslr/DSC{n:05d}.JPG"] = camera(n + START)
        names.append(f"DSC{n:05d}.JPG")
    k4 = " ".join(map(str, FISHEYE.coefficients))
    lens = f"{K[0, 0]} {K[1, 1]} {K[0, 2] + 0.5} {K[1, 2] + 0.5} {k4}"
    _colmap_text(folder / "colmap", f"OPENCV_FISHEYE {WIDTH} {HEIGHT} {lens}", names)
    return Miniature("scannet++", root / "data", {}, poses)


def _co3d(root: Path, kind: str, unit: np.ndarray) -> Miniature:
    """`unit` pixels are 1 in the coordinates of the format; the world is 4 times too small."""
    poses, frames = {}, []
    flip = np.diag([-1.0, -1.0, 1.0])  # x left and y up
    for n in range(COUNT):
        stem = f"couch/12_34/{{}}/frame{n:06d}"
        image, depth = view(camera(n + START))
        stated = (depth / 4 / 1.25).astype(np.float16)
        known = np.ones(depth.shape, bool)
        known[:4] = False
        stated[:4] = 99
        paths = {name: stem.format(name) for name in ("images", "depths", "depth_masks")}
        save_image(root / f"{paths['images']}.jpg", image)
        save_image(root / f"{paths['depths']}.jpg.geometric.png", stated.view(np.uint16))
        (root / paths["depth_masks"]).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(known).save(root / f"{paths['depth_masks']}.png")
        world_to_cam = np.linalg.inv(camera(n + START))
        viewpoint = {
            "R": (flip @ world_to_cam[:3, :3]).T.tolist(),
            "T": (flip @ world_to_cam[:3, 3] / 4).tolist(),
            "focal_length": (np.array([K[0, 0], K[1, 1]]) / unit).tolist(),
            "principal_point": (
                -(K[:2, 2] + 0.5 - np.array([WIDTH, HEIGHT]) / 2) / unit
            ).tolist(),
        } | ({"intrinsics_format": kind} if kind else {})  # fmt: skip
        frames.append(
            {
                "sequence_name": "12_34",
                "frame_number": n,
                "image": {"path": f"{paths['images']}.jpg", "size": [HEIGHT, WIDTH]},
                "depth": {
                    "path": f"{paths['depths']}.jpg.geometric.png",
                    "scale_adjustment": 1.25,
                    "mask_path": f"{paths['depth_masks']}.png",
                },
                "viewpoint": viewpoint,
            }
        )
        poses[f"{paths['images']}.jpg"] = camera(n + START)
    with gzip.open(root / "couch" / "frame_annotations.jgz", "wt") as stream:
        json.dump(frames, stream)
    return Miniature("co3d", root, {"metres_per_unit": 4.0}, poses, "couch/12_34")


def co3d(root: Path) -> Miniature:
    return _co3d(root, "ndc_isotropic", np.full(2, min(WIDTH, HEIGHT) / 2))


def co3d_by_side(root: Path) -> Miniature:
    return _co3d(root, "", np.array([WIDTH, HEIGHT]) / 2)


def dtu(root: Path) -> Miniature:
    """Pictures of 4 times the map's side; the map has each fourth pixel; lengths in millimetres."""
    large = np.diag([4.0, 4.0, 1.0]) @ K
    cameras = root / "Cameras" / "train"
    cameras.mkdir(parents=True)
    poses = {}
    for n in range(COUNT):
        image, depth = view(camera(n + START), large, (4 * HEIGHT, 4 * WIDTH))
        name = f"rect_{n + 1:03d}_3_r5000"
        save_image(root / "Rectified" / "scan9_train" / f"{name}.png", image)
        path = root / "Depths" / "scan9_train" / f"depth_map_{n:04d}.pfm"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_pfm(path, 1000 * depth[::4, ::4])
        extrinsic = np.linalg.inv(camera(n + START))
        extrinsic[:3, 3] *= 1000
        (cameras / f"{n:08d}_cam.txt").write_text(
            f"extrinsic\n{numbers(extrinsic)}\nintrinsic\n{numbers(K)}\n425.0 2.5\n"
        )
        poses[name] = camera(n + START)
    return Miniature("dtu", root, {}, poses, "scan9")


def _nerfstudio(root: Path, shared: bool) -> Miniature:
    """Intrinsics of the scene with depth in millimetres and scaled poses, or a frame's own with
    depth in floating half metres."""
    folder = root / "room"
    lens = {
        "fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2] + 0.5, "cy": K[1, 2] + 0.5,
        "w": WIDTH, "h": HEIGHT,
    }  # fmt: skip
    poses: dict[str, np.ndarray] = {}
    frames: list[dict[str, Any]] = []
    for n in range(COUNT):
        image, depth = view(camera(n + START))
        save_image(folder / "images" / f"{n}.png", image)
        pose = camera(n + START) @ FLIP_YZ
        if shared:
            pose[:3, 3] *= 0.25
            save_depth(folder / "depth" / f"{n}.png", depth, 0.001)
        else:
            (folder / "depth").mkdir(exist_ok=True)
            np.save(folder / "depth" / f"{n}.npy", 2 * depth)
        frames.append(
            {
                "file_path": f"images/{n}.png",
                "depth_file_path": f"depth/{n}.{'png' if shared else 'npy'}",
                "transform_matrix": (pose if shared else pose[:3]).tolist(),
            }
            | ({} if shared else lens)
        )
        poses[f"images/{n}.png"] = camera(n + START)
    about = {"camera_model": "OPENCV", "k1": 0.0, **lens, "applied_scale": 0.25} if shared else {}
    text = json.dumps({**about, "frames": frames[::-1]})
    (folder / "transforms.json").write_text(text)
    return Miniature("nerfstudio", root, {} if shared else {"depth_step": 0.5}, poses)


def nerfstudio(root: Path) -> Miniature:
    return _nerfstudio(root, shared=True)


def nerfstudio_own_intrinsics(root: Path) -> Miniature:
    return _nerfstudio(root, shared=False)


def arkitscenes(root: Path) -> Miniature:
    """World-to-camera, as axis times angle; cameras may be named a millisecond apart."""
    folder = root / "Training" / "41254" / "41254_frames"
    (folder / "lowres_wide_intrinsics").mkdir(parents=True)
    lines, poses = [], {}
    for n in range(COUNT):
        image, depth = view(camera(n + START))
        time = 5000.1 + 0.1 * n
        stem = f"41254_{time:.3f}"
        save_image(folder / "lowres_wide" / f"{stem}.png", image)
        save_depth(folder / "lowres_depth" / f"{stem}.png", depth, 0.001)
        k = f"{WIDTH} {HEIGHT} {K[0, 0]} {K[1, 1]} {K[0, 2]} {K[1, 2]}"
        name = f"41254_{time + 0.001 * (n % 3 - 1):.3f}.pincam"
        (folder / "lowres_wide_intrinsics" / name).write_text(k)
        row = (*(-angle(n + START) * AXIS), *np.linalg.inv(camera(n + START))[:3, 3])
        lines.append(f"{time + 0.002:.6f} " + " ".join(f"{value:.9f}" for value in row))
        poses[f"41254/{stem}"] = camera(n + START)
    (folder / "lowres_wide.traj").write_text("\n".join(lines) + "\n")
    visits = root / "splits.csv"
    visits.write_text("video_id,visit_id,fold\n40,NA,Training\n41254,421.0,Training\n")
    return Miniature("arkitscenes", root, {"visits": visits}, poses, "visit 421")


def dust3r_blendedmvs(root: Path) -> Miniature:
    folder, poses = root / "5a3ca9cb270f0e3f14d0eddb", {}
    for n in range(COUNT):
        image, depth = view(camera(n + START))
        stem = f"{n:08d}"
        save_image(folder / f"{stem}.jpg", image)
        save_exr(folder / f"{stem}.exr", depth)
        parts = {"R_cam2world": camera(n + START)[:3, :3], "t_cam2world": camera(n + START)[:3, 3]}
        np.savez(folder / f"{stem}.npz", intrinsics=K, **parts)
        poses[stem] = camera(n + START)
    return Miniature("dust3r", root, {}, poses, folder.name)


def dust3r_megadepth(root: Path) -> Miniature:
    """Poses and depth in thirds of a metre; depth that orders pixels alone is negative."""
    folder, poses = root / "0015" / "0", {}
    for n in range(COUNT):
        image, depth = view(camera(n + START))
        stem = f"{n}_abc.jpg"
        save_image(folder / f"{stem}.jpg", image)
        pose = camera(n + START)
        pose[:3, 3] *= 3
        depth[:4] = -1
        save_exr(folder / f"{stem}.exr", 3 * depth)
        np.savez(folder / f"{stem}.npz", intrinsics=K, cam2world=pose)
        poses[stem] = camera(n + START)
    np.savez(root / "all_metadata.npz", scenes=["0015 0"])
    return Miniature("dust3r", root, {"metres_per_unit": 1 / 3}, poses, "0015/0")


def dust3r_co3d(root: Path) -> Miniature:
    folder, poses = root / "apple" / "1_2", {}
    for n in range(COUNT):
        image, depth = view(camera(n + START))
        stem = f"frame{n:06d}"
        save_image(folder / "images" / f"{stem}.jpg", image)
        farthest = depth.max()
        save_depth(folder / "depths" / f"{stem}.jpg.geometric.png", depth, farthest / 65535)
        arrays = {
            "camera_intrinsics": K,
            "camera_pose": camera(n + START),
            "maximum_depth": farthest,
        }
        np.savez(folder / "images" / f"{stem}.npz", **arrays)
        poses[stem] = camera(n + START)
    return Miniature("dust3r", root, {}, poses, "apple/1_2")


DATA_SETS: list[Callable[[Path], Miniature]] = [
    scannet,
    scannet_resized,
    scannetpp_iphone,
    scannetpp_dslr,
    co3d,
    co3d_by_side,
    dtu,
    nerfstudio,
    nerfstudio_own_intrinsics,
    arkitscenes,
    dust3r_blendedmvs,
    dust3r_megadepth,
    dust3r_co3d,
]
