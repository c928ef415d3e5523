"""The verb `dust reconstruct`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from dust_core.errors import DustError

_RUNTIMES = {".pth": "torch", ".onnx": "openvino"}


def reconstruct(
    folder: Annotated[Path, typer.Argument(help="Photographs of one place, 2 or more.")],
    model: Annotated[Path, typer.Option(help="A checkpoint .pth, or an .onnx graph.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: scene in that folder.")
    ] = None,
    side: Annotated[int, typer.Option(min=64, max=1024, help="Of the network's images.")] = 512,
    mode: Annotated[
        Literal["crop", "letterbox"], typer.Option(help="How photographs become squares.")
    ] = "crop",
    neighbours: Annotated[int, typer.Option(min=1, help="Pairs an image, in a circle.")] = 4,
    min_confidence: Annotated[
        float | None,
        typer.Option(min=1.0, help="Least confidence of a point; default 3, or what half reach."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
) -> None:
    """Turn photographs into a coloured cloud, cameras and a page to look at."""
    from rich.progress import Progress

    from dust_core.data.frames import Mode
    from dust_core.data.photographs import find_photographs, read_photograph
    from dust_core.files import atomic_write_bytes, atomic_write_text

    if model.suffix not in _RUNTIMES:
        raise DustError(
            "a model is a .pth or an .onnx file", where=str(model), fix="name a checkpoint"
        )
    photographs = [read_photograph(one, side, Mode(mode)) for one in find_photographs(folder)]

    from dust_eval.runtimes import RuntimeOptions, load_model
    from dust_eval.scene.align import align
    from dust_eval.scene.cloud import (
        USUAL,
        cameras_json,
        fuse,
        glb_bytes,
        ply_bytes,
        usual_confidence,
    )
    from dust_eval.scene.graph import hide_bars, predict_edges, swin_pairs
    from dust_eval.scene.page import render

    network = load_model(_RUNTIMES[model.suffix], model, RuntimeOptions(threads=threads))
    pairs = swin_pairs(len(photographs), neighbours)
    with Progress(transient=True) as progress:
        task = progress.add_task("pairs", total=len(pairs))
        try:
            edges = predict_edges(
                network,
                [one.tensor() for one in photographs],
                pairs,
                lambda: progress.advance(task),
            )
        except ValueError as error:
            raise DustError(str(error), fix="choose another --side") from error
        progress.add_task("alignment", total=None)
        scene = align(len(photographs), hide_bars(edges, [one.shown() for one in photographs]))
    least = usual_confidence(scene) if min_confidence is None else min_confidence
    cloud = fuse(scene, photographs, least)
    if not len(cloud.points):
        raise DustError(
            f"no pixel reaches confidence {least:g}; the largest is {scene.confidences.max():.7g}",
            where=str(folder),
            fix="lower --min-confidence, or take photographs that overlap more",
            exit_code=1,
        )
    target = out or folder / "scene"
    facts = [
        ("Photographs", str(len(photographs))),
        ("Pairs", str(len(pairs))),
        ("Points", f"{len(cloud.points):,} of {scene.depths.size:,} pixels"),
        ("Least confidence", f"{least:.7g}"),
        ("Focal lengths, pixels of the square", ", ".join(f"{f:.0f}" for f in scene.focals)),
        ("Mean weighted residual", f"{scene.objective:.3g}, in the scene's own unit"),
        ("Network", model.name),
    ]
    atomic_write_bytes(target / "cloud.ply", ply_bytes(cloud))
    atomic_write_bytes(target / "cloud.glb", glb_bytes(cloud))
    atomic_write_text(target / "cameras.json", cameras_json(scene, photographs))
    atomic_write_text(target / "index.html", render(scene, cloud, photographs, facts))
    if min_confidence is None and least < USUAL:
        typer.echo(
            f"the network is nowhere sure: few pixels reach confidence {USUAL:g}, so the cloud "
            "holds the surer half; do not trust its shape"
        )
    typer.echo(
        f"{target / 'index.html'}: {len(photographs)} photographs, {len(cloud.points)} points"
    )
