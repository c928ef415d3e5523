"""The files of a scene: of two photographs, and of more."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dust_core.files import atomic_path, atomic_write_bytes, atomic_write_text
from dust_core.pairs.pictures.photographs import Photograph
from dust_core.pairs.shards.contact_sheet import depth_picture
from dust_eval.arrays import Floats
from dust_eval.scene.align import Scene
from dust_eval.scene.cloud import Cloud, camera_facts, cameras_json, glb_bytes, ply_bytes
from dust_eval.scene.initial import PNP_PIXELS
from dust_eval.scene.page import pair_views, render, scene_views
from dust_eval.scene.pair import PairScene


def write_pair(out: Path, scene: PairScene, model: str, warnings: Sequence[str] = ()) -> None:
    """Write cloud, pictures, arrays, page and `prediction.json` of two photographs into a folder.

    Args:
        model: the network's name.
        warnings: what the page says above its figures.

    Raises:
        DustError: a file cannot be written.
    """
    _write_cloud(out, scene.cloud)
    for name, photograph, depth, confidence in zip(
        "AB", scene.photographs, scene.depths, scene.confidences, strict=True
    ):
        shown = np.where(photograph.shown(), np.maximum(depth, 1e-6), 0)
        _write_picture(depth_picture(shown), out / f"depth_{name}.png")
        _write_picture(_confidence_picture(confidence), out / f"confidence_{name}.png")
    with atomic_path(out / "prediction.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, points=scene.points, confidences=scene.confidences)
    facts = {
        "model": model,
        "axes": "x right, y down, z forward, in the frame of A's camera",
        "unit": "the network's own, not metres",
        "min_confidence": scene.min_confidence,
        "points": len(scene.cloud.points),
        "cameras": [
            camera_facts(photograph, focal)
            for photograph, focal in zip(scene.photographs, scene.focals, strict=True)
        ],
        "A_from_B": None if scene.pose is None else scene.pose.tolist(),
        "A_from_B_explains": scene.explained,
    }
    atomic_write_text(out / "prediction.json", json.dumps(facts, indent=2) + "\n")
    title = " and ".join(photograph.name for photograph in scene.photographs)
    page = render(
        title, pair_views(scene), scene.min_confidence, _pair_table(scene, model), warnings
    )
    atomic_write_text(out / "index.html", page)


def _pair_table(scene: PairScene, model: str) -> list[tuple[str, str]]:
    """Name and value of each line of a pair's page."""
    explained = "PnP found no camera for B"
    if scene.explained is not None:
        explained = f"{scene.explained:.0%} of B's points to {PNP_PIXELS:g} pixels"
    return [
        ("Points of the files", f"{len(scene.cloud.points):,}"),
        ("Least confidence of the files", f"{scene.min_confidence:.4g}"),
        ("Focal lengths, pixels", ", ".join(f"{focal:.0f}" for focal in scene.focals)),
        ("B's camera explains", explained),
        ("Unit", "the network's own, not metres"),
        ("Network", model),
    ]


def pair_facts(folder: Path, scene: PairScene, seconds: float) -> dict[str, Any]:
    """What `pairs.json` says of a pair, whose files are in a folder."""
    return {
        "folder": folder.name,
        "images": [photograph.name for photograph in scene.photographs],
        "points": len(scene.cloud.points),
        "min_confidence": scene.min_confidence,
        "focals_px_of_the_square": list(scene.focals),
        "A_from_B": None if scene.pose is None else scene.pose.tolist(),
        "A_from_B_explains": scene.explained,
        "seconds": round(seconds, 3),
    }


def write_pair_list(out: Path, model: str, pairs: Sequence[dict[str, Any]]) -> None:
    """Write `pairs.json`: which folder holds which pair.

    Args:
        pairs: `pair_facts` of each.

    Raises:
        DustError: the file cannot be written.
    """
    about = {"model": model, "unit": "each pair's own: pairs share no scale", "pairs": list(pairs)}
    atomic_write_text(out / "pairs.json", json.dumps(about, indent=2) + "\n")


def write_scene(
    out: Path,
    scene: Scene,
    cloud: Cloud,
    photographs: Sequence[Photograph],
    min_confidence: float,
    facts: Sequence[tuple[str, str]],
    warnings: Sequence[str] = (),
) -> None:
    """Write cloud, `cameras.json` and `index.html` of an aligned scene into a folder.

    Args:
        min_confidence: of the cloud's points, and of those that the page shows at first.
        facts: name and value of each line of the page's table.
        warnings: what the page says above its figures.

    Raises:
        DustError: a file cannot be written.
    """
    _write_cloud(out, cloud)
    atomic_write_text(out / "cameras.json", cameras_json(scene, photographs))
    page = render("Scene", scene_views(scene, photographs), min_confidence, facts, warnings)
    atomic_write_text(out / "index.html", page)


def _write_cloud(out: Path, cloud: Cloud) -> None:
    atomic_write_bytes(out / "cloud.ply", ply_bytes(cloud))
    atomic_write_bytes(out / "cloud.glb", glb_bytes(cloud))


def _confidence_picture(confidence: Floats) -> Any:
    """Confidence (H, W) in colours, high bright and low dark, on a logarithmic scale."""
    from matplotlib import colormaps

    logarithm = np.log(confidence)
    low, high = np.percentile(logarithm, [2, 98])
    share = np.clip((logarithm - low) / max(high - low, 1e-9), 0, 1)
    return (255 * colormaps["viridis"](share)[..., :3]).astype(np.uint8)


def _write_picture(picture: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, "PNG")
