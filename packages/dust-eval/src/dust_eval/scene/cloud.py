"""The fused cloud of an aligned scene, and its files."""

import json
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dust_core.pairs.pictures.photographs import Photograph
from dust_eval.arrays import Floats
from dust_eval.scene.align import Scene

_GLTF_FROM_CV = np.array([1.0, -1.0, -1.0])  # y up and z backward
_POINTS, _FLOAT, _SHORT, _ARRAY_BUFFER = 0, 5126, 5123, 34962
_UNLIT = "KHR_materials_unlit"


USUAL = 3.0
"""The least confidence of a point in DUSt3R's own clouds."""
_ENOUGH = 0.1  # of all pixels


class Cloud(NamedTuple):
    """Points (M, 3) float32 and their colours (M, 3) uint8."""

    points: Floats
    colours: np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def usual_confidence(confidences: Floats) -> float:
    """3, or the median where fewer than 10 % reach 3; pixels of confidence 1 do not count."""
    weighing = confidences[confidences > 1]
    if not len(weighing) or float((weighing >= USUAL).mean()) >= _ENOUGH:
        return USUAL
    return float(np.median(weighing))


def surer_half() -> str:
    """The message that few pixels reach the usual confidence, so the cloud has the better half."""
    return (
        f"few pixels reach confidence {USUAL:g}, so the cloud holds the more confident half; "
        "do not trust its shape"
    )


def fuse(scene: Scene, photographs: Sequence[Photograph], min_confidence: float) -> Cloud:
    """All pixels of photographs with enough confidence, in one cloud."""
    colours = np.stack([photograph.square for photograph in photographs])
    shown = np.stack([photograph.shown() for photograph in photographs])
    chosen = shown & scene.trusted(min_confidence)
    return Cloud(scene.points()[chosen].astype(np.float32), colours[chosen])


def ply_bytes(cloud: Cloud) -> bytes:
    """The cloud as binary PLY."""
    kind = [("xyz", "<f4", 3), ("rgb", "u1", 3)]
    rows = np.empty(len(cloud.points), dtype=kind)
    rows["xyz"], rows["rgb"] = cloud.points, cloud.colours
    names = "".join(f"property float {axis}\n" for axis in "xyz")
    names += "".join(f"property uchar {colour}\n" for colour in ("red", "green", "blue"))
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\n{names}end_header\n"
    )
    return header.encode() + rows.tobytes()


def glb_bytes(cloud: Cloud) -> bytes:
    """The cloud as binary glTF 2.0, y up.

    Colours of vertices are linear (glTF 2.0, section 3.9.2), in 16 bits, since 8 linear bits merge
    dark colours. Points have no normals, so the material is unlit: viewers show the colours as they
    are.
    """
    points = (cloud.points * _GLTF_FROM_CV).astype("<f4")
    colours = np.full((len(points), 4), 65535, "<u2")  # vertices are aligned to four bytes
    colours[:, :3] = linear_16_bits()[cloud.colours]
    parts = (points.tobytes(), colours.tobytes())
    sizes = [len(part) for part in parts]
    count = {"count": len(points)}
    document = {
        "asset": {"version": "2.0", "generator": "dust"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "extensionsUsed": [_UNLIT],
        "materials": [{"extensions": {_UNLIT: {}}}],
        "meshes": [
            {
                "primitives": [
                    {
                        "mode": _POINTS,
                        "attributes": {"POSITION": 0, "COLOR_0": 1},
                        "material": 0,
                    }
                ]
            }
        ],
        "buffers": [{"byteLength": sum(sizes)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": sizes[0], "target": _ARRAY_BUFFER},
            {"buffer": 0, "byteOffset": sizes[0], "byteLength": sizes[1], "target": _ARRAY_BUFFER},
        ],
        "accessors": [
            count
            | {"bufferView": 0, "componentType": _FLOAT, "type": "VEC3"}
            | {"min": points.min(0).tolist(), "max": points.max(0).tolist()},
            count | {"bufferView": 1, "componentType": _SHORT, "type": "VEC4", "normalized": True},
        ],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(parts)
    total = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(text), b"JSON") + text,
            struct.pack("<I4s", len(binary), b"BIN\0") + binary,
        )
    )


def linear_16_bits() -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """The linear value, in 65,535 steps, of each 8-bit value of sRGB (IEC 61966-2-1)."""
    share = np.arange(256) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.rint(65535 * linear), np.uint16)


def cameras_json(scene: Scene, photographs: Sequence[Photograph]) -> str:
    """Cameras of the upright photographs, K in their own pixels, and the way to the square."""
    cameras = [
        camera_facts(photograph, float(focal))
        | {"cam_to_world": pose.tolist(), "found_by_pnp": image not in scene.not_located}
        for image, (photograph, focal, pose) in enumerate(
            zip(photographs, scene.focals, scene.cam_to_world, strict=True)
        )
    ]
    about = {"axes": "x right, y down, z forward", "unit": "the scene's own, not metres"}
    return json.dumps(about | {"cameras": cameras}, indent=2) + "\n"


def camera_facts(photograph: Photograph, focal: float) -> dict[str, Any]:
    """A photograph's camera, as JSON.

    Args:
        focal: in pixels of the network's image.
    """
    width, height = photograph.placement.size
    inside = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    square_from_photograph = photograph.placement.intrinsics(np.eye(3))
    return {
        "image": photograph.name,
        "width": photograph.size[0],
        "height": photograph.size[1],
        "K": (np.linalg.inv(square_from_photograph) @ inside).tolist(),
        "square_from_photograph": square_from_photograph.tolist(),
        "side": max(width, height),
        "network_width": width,
        "network_height": height,
    }
