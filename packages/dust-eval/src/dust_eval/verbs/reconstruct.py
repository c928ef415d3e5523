"""The verb `dust reconstruct`."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dust_core.errors import DustError
from dust_eval.verbs.options import (
    AspectOption,
    ConfidenceOption,
    MasksOption,
    ModelOption,
    ModeOption,
    SideOption,
    ThreadsOption,
)
from dust_eval.verbs.wording import nothing_sure, say_what_was_read, spent

if TYPE_CHECKING:
    from dust_core.pairs.pictures.photographs import Photograph
    from dust_eval.arrays import Floats
    from dust_eval.runtimes import PairModel
    from dust_eval.scene.align import Scene
    from dust_eval.scene.cloud import Cloud


def reconstruct(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Photographs of one place: a folder, pictures, a pattern, a video."),
    ],
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")] = Path(
        "scene"
    ),
    side: SideOption = None,
    mode: ModeOption = "crop",
    aspect: AspectOption = "square",
    masks: MasksOption = None,
    neighbours: Annotated[int, typer.Option(min=1, help="Pairs an image, in a circle.")] = 4,
    every: Annotated[int, typer.Option(min=1, help="Of a video, each so many frames.")] = 10,
    min_confidence: ConfidenceOption = None,
    export: Annotated[
        Literal["colmap"] | None, typer.Option(help="Also a model for other tools.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a damaged picture.")] = False,
    threads: ThreadsOption = 2,
) -> None:
    """Turn photographs into a coloured cloud, cameras and a page to look at."""
    from dust_core.pairs.pictures.canvas import on_one_canvas
    from dust_core.pairs.pictures.chosen import find_photographs
    from dust_core.pairs.pictures.photographs import read_photographs

    chosen = find_photographs(sources)

    from dust_eval.runtimes import RuntimeOptions, load_any
    from dust_eval.scene.cloud import USUAL, fuse, usual_confidence
    from dust_eval.scene.colmap import write_model
    from dust_eval.scene.files import write_scene
    from dust_eval.scene.graph import swin_pairs
    from dust_eval.verbs.shapes import image_shape

    start = perf_counter()
    network = load_any(model, RuntimeOptions(threads=threads))
    shape = image_shape(network, model, side=side, mode=mode, aspect=aspect, masks=masks)
    photographs, left_out = read_photographs(chosen, shape, every=every, strict=strict)
    say_what_was_read(photographs, left_out)
    pairs = swin_pairs(len(photographs), neighbours)
    tensors = [photograph.tensor() for photograph in photographs]
    photographs = on_one_canvas(photographs)
    scene = _aligned(network, tensors, photographs, pairs, model)
    least = usual_confidence(scene.confidences) if min_confidence is None else min_confidence
    cloud = fuse(scene, photographs, least)
    if not len(cloud.points):
        raise nothing_sure(least, scene.confidences, where=str(sources[0]))
    facts = _facts(scene, cloud, len(pairs), least, model)
    warnings = _warnings(scene, photographs, few=min_confidence is None and least < USUAL)
    write_scene(out, scene, cloud, photographs, least, facts, warnings)
    if export:
        write_model(out / "colmap", scene, cloud, photographs)
    typer.echo("".join(f"{line}\n" for line in warnings), nl=False)
    typer.echo(
        f"{out / 'index.html'}: {len(photographs)} photographs, {len(cloud.points):,} points "
        f"of confidence {least:.4g} and more, of {scene.depths.size:,} pixels"
    )
    typer.echo(spent(perf_counter() - start))


def _aligned(
    network: "PairModel",
    tensors: "Sequence[Floats]",
    photographs: "Sequence[Photograph]",
    pairs: "Sequence[tuple[int, int]]",
    model: Path,
) -> "Scene":
    """The scene of photographs, with a bar of progress."""
    from rich.progress import Progress

    from dust_core.console import Terminal
    from dust_eval.runtimes import EncodesOnce
    from dust_eval.scene.align import align
    from dust_eval.scene.graph import hide_bars, predict_edges, require_finite

    with Progress(transient=True, console=Terminal()) as progress:
        task = progress.add_task("pairs", total=len(pairs))
        try:
            edges = predict_edges(
                network,
                tensors,
                pairs,
                encode_once=isinstance(network, EncodesOnce),
                on_pair=lambda: progress.advance(task),
            )
        except ValueError as error:
            raise DustError(str(error), fix="choose another --side") from error
        require_finite(edges, where=model.name)
        progress.add_task("alignment", total=None)
        shown = [photograph.shown() for photograph in photographs]
        return align(len(photographs), hide_bars(edges, shown))


def _warnings(scene: "Scene", photographs: "Sequence[Photograph]", *, few: bool) -> list[str]:
    """What a user should not trust.

    Args:
        few: whether few pixels reach the usual confidence.
    """
    from dust_eval.scene.cloud import surer_half

    lines = [surer_half()] if few else []
    if scene.not_located:
        names = ", ".join(photographs[image].name for image in scene.not_located)
        lines.insert(0, f"PnP found no camera for {names}; do not trust their positions")
    return lines


def _facts(
    scene: "Scene", cloud: "Cloud", pairs: int, least: float, model: Path
) -> list[tuple[str, str]]:
    """Name and value of each line of the page's table."""
    images = len(scene.focals)
    facts = [
        ("Photographs", str(images)),
        ("Pairs", str(pairs)),
        ("Points", f"{len(cloud.points):,} of {scene.depths.size:,} pixels"),
        ("Least confidence", f"{least:.4g}"),
        ("Focal lengths, pixels of the image", ", ".join(f"{f:.0f}" for f in scene.focals)),
        ("Mean weighted residual", f"{scene.objective:.3g}, in the scene's own unit"),
        ("Network", model.name),
    ]
    if scene.not_located:
        facts.insert(2, ("Cameras that PnP did not find", f"{len(scene.not_located)} of {images}"))
    return facts
