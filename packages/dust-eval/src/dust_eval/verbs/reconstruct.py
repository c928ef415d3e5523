"""The verb `dust reconstruct`."""

from pathlib import Path
from typing import Annotated

import typer

from dust_core.errors import DustError
from dust_eval.verbs.options import (
    ConfidenceOption,
    ModelOption,
    ModeOption,
    SideOption,
    ThreadsOption,
)


def reconstruct(
    folder: Annotated[Path, typer.Argument(help="Photographs of one place, 2 or more.")],
    model: ModelOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: scene in that folder.")
    ] = None,
    side: SideOption = None,
    mode: ModeOption = "crop",
    neighbours: Annotated[int, typer.Option(min=1, help="Pairs an image, in a circle.")] = 4,
    min_confidence: ConfidenceOption = None,
    threads: ThreadsOption = 2,
) -> None:
    """Turn photographs into a coloured cloud, cameras and a page to look at."""
    from rich.progress import Progress

    from dust_core.files import atomic_write_bytes, atomic_write_text
    from dust_core.pairs.framing import Mode
    from dust_core.pairs.photographs import find_photographs, read_photograph

    paths = find_photographs(folder)

    from dust_eval.runtimes import EncodesOnce, RuntimeOptions, load_any, side_of
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

    network = load_any(model, RuntimeOptions(threads=threads))
    square = side_of(network, model, side)
    photographs = [read_photograph(one, square, Mode(mode)) for one in paths]
    pairs = swin_pairs(len(photographs), neighbours)
    with Progress(transient=True) as progress:
        task = progress.add_task("pairs", total=len(pairs))
        try:
            edges = predict_edges(
                network,
                [photograph.tensor() for photograph in photographs],
                pairs,
                encode_once=isinstance(network, EncodesOnce),
                on_pair=lambda: progress.advance(task),
            )
        except ValueError as error:
            raise DustError(str(error), fix="choose another --side") from error
        progress.add_task("alignment", total=None)
        scene = align(len(photographs), hide_bars(edges, [one.shown() for one in photographs]))
    least = usual_confidence(scene.confidences) if min_confidence is None else min_confidence
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
