"""The verb `dust predict`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dust_core.errors import DustError
from dust_eval.verbs.options import (
    ConfidenceOption,
    ModelOption,
    ModeOption,
    NarrowOption,
    SideOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dust_core.pairs.photographs import Photograph
    from dust_eval.scene.graph import Edge


def predict(
    first: Annotated[Path, typer.Argument(metavar="A", help="A photograph.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one of the same place.")],
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of what is written.")] = Path(
        "prediction"
    ),
    side: SideOption = None,
    mode: ModeOption = "crop",
    min_confidence: ConfidenceOption = None,
    bf16: NarrowOption = False,
    threads: ThreadsOption = 2,
) -> None:
    """Turn two photographs into a coloured cloud, depth, confidence, pose and focal lengths."""
    from rich.console import Console

    from dust_core.pairs.framing import Mode
    from dust_core.pairs.photographs import read_photograph

    for path in (first, second):
        if not path.is_file():
            raise DustError("no such photograph", where=str(path), fix="name a picture file")

    from dust_eval.runtimes import EncodesOnce, RuntimeOptions, load_any, side_of
    from dust_eval.scene.graph import hide_bars, predict_edges

    console = Console()
    with console.status("loading the network"):
        options = RuntimeOptions(precision="bf16" if bf16 else "fp32", threads=threads)
        network = load_any(model, options)
    square = side_of(network, model, side)
    photographs = [read_photograph(path, square, Mode(mode)) for path in (first, second)]
    with console.status("predicting"):
        try:
            # The second order is for the second focal length: its points in its own frame.
            edges = predict_edges(
                network,
                [photograph.tensor() for photograph in photographs],
                [(0, 1), (1, 0)],
                encode_once=isinstance(network, EncodesOnce),
            )
        except ValueError as error:
            raise DustError(str(error), fix="choose another --side") from error
    edges = hide_bars(edges, [one.shown() for one in photographs])
    for line in write_prediction(out, photographs, edges, min_confidence, model.name):
        typer.echo(line)


def write_prediction(
    out: Path,
    photographs: "Sequence[Photograph]",
    edges: "Sequence[Edge]",
    min_confidence: float | None,
    model: str,
) -> list[str]:
    """Write what a network says of two photographs; lines that sum it up.

    Args:
        edges: the pair in both orders, (A, B) and (B, A).
        min_confidence: of a point of the cloud; None: DUSt3R's 3, or the median where few reach it.

    Raises:
        DustError: no point is confident enough, or the prediction is not finite.
    """
    import numpy as np

    from dust_core.files import atomic_path, atomic_write_bytes, atomic_write_text
    from dust_core.pairs.shards.contact_sheet import depth_picture
    from dust_eval.scene.cloud import (
        USUAL,
        Cloud,
        camera_facts,
        glb_bytes,
        ply_bytes,
        usual_confidence,
    )
    from dust_eval.scene.initial import PNP_PIXELS

    points, confidences = edges[0].points, edges[0].confidences
    if not all(np.isfinite(edge.points).all() for edge in edges):
        raise DustError(
            "the network predicts NaN or infinity", where=model, fix="build or pull it again"
        )
    least = usual_confidence(confidences) if min_confidence is None else min_confidence
    chosen = (confidences >= least) & (confidences > 1)
    if not chosen.any():
        raise DustError(
            f"no pixel reaches confidence {least:g}; the largest is {confidences.max():.7g}",
            fix="lower --min-confidence, or take photographs that overlap more",
            exit_code=1,
        )
    colours = np.stack([photograph.square for photograph in photographs])
    cloud = Cloud(points[chosen].astype(np.float32), colours[chosen])
    focals, pose = cameras(edges)
    explained = explained_share(edges[0], pose, focals[1])
    own_depth = (edges[0].points[0][..., 2], edges[1].points[0][..., 2])
    facts: dict[str, Any] = {
        "model": model,
        "axes": "x right, y down, z forward, in the frame of A's camera",
        "unit": "the network's own, not metres",
        "min_confidence": least,
        "points": len(cloud.points),
        "cameras": [camera_facts(p, f) for p, f in zip(photographs, focals, strict=True)],
        "A_from_B": pose.tolist(),
        "A_from_B_explains": explained,
    }
    atomic_write_bytes(out / "cloud.ply", ply_bytes(cloud))
    atomic_write_bytes(out / "cloud.glb", glb_bytes(cloud))
    for name, photograph, depth, confidence in zip(
        "AB", photographs, own_depth, confidences, strict=True
    ):
        shown = np.where(photograph.shown(), np.maximum(depth, 1e-6), 0)
        _save(depth_picture(shown), out / f"depth_{name}.png")
        _save(_confidence_picture(confidence), out / f"confidence_{name}.png")
    with atomic_path(out / "prediction.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, points=points, confidences=confidences)
    atomic_write_text(out / "prediction.json", json.dumps(facts, indent=2) + "\n")
    widest = 2 * np.degrees(np.arctan(photographs[0].placement.side / 2 / np.array(focals)))
    turned = np.degrees(np.arccos(np.clip((np.trace(pose[:3, :3]) - 1) / 2, -1, 1)))
    lines = [
        f"focal lengths: {focals[0]:.0f} and {focals[1]:.0f} pixels of the square "
        f"({widest[0]:.0f} and {widest[1]:.0f} degrees of view)",
        f"B against A: turned by {turned:.1f} degrees, moved by "
        f"{np.linalg.norm(pose[:3, 3]) / np.median(own_depth[0]):.2f} of A's median depth; that "
        f"explains {explained:.0%} of B's points to {PNP_PIXELS:g} pixels",
        f"{out / 'cloud.ply'}: {len(cloud.points):,} points of confidence {least:.4g} and more",
    ]
    if min_confidence is None and least < USUAL:
        lines.append(
            f"the network is nowhere sure: few pixels reach confidence {USUAL:g}, so the cloud "
            "holds the surer half; do not trust its shape"
        )
    return lines


def cameras(edges: "Sequence[Edge]") -> tuple[tuple[float, float], Any]:
    """Focal lengths of both squares, in pixels, and the pose of B's camera in A's frame, (4, 4).

    A focal length is the one that explains an image's points in its own camera's frame; the pose
    is the one from which B's points, predicted in A's frame, are seen where they are (PnP).

    Args:
        edges: the pair in both orders.
    """
    import numpy as np

    from dust_eval.scene.initial import estimate_focal, locate_camera, pixel_grid

    pixels = pixel_grid(*edges[0].confidences.shape[1:]).reshape(-1, 2)
    weights = [np.log(edge.confidences).reshape(2, -1) for edge in edges]
    first, second = (
        estimate_focal(edge.points[0].reshape(-1, 3), weight[0], pixels)
        for edge, weight in zip(edges, weights, strict=True)
    )
    camera = locate_camera(edges[0].points[1].reshape(-1, 3), weights[0][1], pixels, second)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation, camera.translation
    return (first, second), pose


def explained_share(edge: "Edge", pose: Any, focal: float) -> float:
    """Share of B's points that B's camera sees within `PNP_PIXELS` of where they were predicted.

    It tells a pose that was found from one that PnP gave up on.

    Args:
        edge: the pair in the order (A, B).
        pose: of B's camera in A's frame, (4, 4).
        focal: of B, in pixels.
    """
    import numpy as np

    from dust_eval.scene.initial import PNP_PIXELS, pixel_grid

    trusted = edge.confidences[1] > 1
    pixels = pixel_grid(*trusted.shape)[trusted]
    own = (edge.points[1][trusted] - pose[:3, 3]) @ pose[:3, :3]
    depth = np.maximum(own[:, 2:], 1e-9)  # what lies behind the camera is seen far outside
    away = np.linalg.norm(focal * own[:, :2] / depth - pixels, axis=1)
    return float((away < PNP_PIXELS).sum() / max(len(away), 1))


def _confidence_picture(confidence: Any) -> Any:
    """Confidence (H, W) in colours, sure bright and unsure dark, on a logarithmic scale."""
    import numpy as np
    from matplotlib import colormaps

    logarithm = np.log(confidence)
    low, high = np.percentile(logarithm, [2, 98])
    share = np.clip((logarithm - low) / max(high - low, 1e-9), 0, 1)
    return (255 * colormaps["viridis"](share)[..., :3]).astype(np.uint8)


def _save(picture: Any, path: Path) -> None:
    from PIL import Image

    from dust_core.files import atomic_path

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, "PNG")
