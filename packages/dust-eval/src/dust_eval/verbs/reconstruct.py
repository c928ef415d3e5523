"""The verb `dust reconstruct`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.errors import DustError
from dust_eval.verbs.options import (
    ConfidenceOption,
    ModelOption,
    ModeOption,
    SideOption,
    ThreadsOption,
)
from dust_eval.verbs.wording import nothing_sure, say_what_was_read, surer_half

if TYPE_CHECKING:
    from dust_eval.scene.align import Scene
    from dust_eval.scene.cloud import Cloud


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
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a damaged picture.")] = False,
    threads: ThreadsOption = 2,
) -> None:
    """Turn photographs into a coloured cloud, cameras and a page to look at."""
    from rich.progress import Progress

    from dust_core.pairs.framing import Mode
    from dust_core.pairs.pictures.photographs import find_photographs, read_photographs

    chosen = find_photographs(folder)

    from dust_eval.runtimes import EncodesOnce, RuntimeOptions, load_any, side_of
    from dust_eval.scene.align import align
    from dust_eval.scene.cloud import USUAL, fuse, usual_confidence
    from dust_eval.scene.files import write_scene
    from dust_eval.scene.graph import hide_bars, predict_edges, require_finite, swin_pairs

    network = load_any(model, RuntimeOptions(threads=threads))
    square = side_of(network, model, side)
    photographs, chosen = read_photographs(chosen, folder, square, Mode(mode), strict=strict)
    say_what_was_read(photographs, chosen)
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
        require_finite(edges, where=model.name)
        progress.add_task("alignment", total=None)
        shown = [photograph.shown() for photograph in photographs]
        scene = align(len(photographs), hide_bars(edges, shown))
    least = usual_confidence(scene.confidences) if min_confidence is None else min_confidence
    cloud = fuse(scene, photographs, least)
    if not len(cloud.points):
        raise nothing_sure(least, scene.confidences, where=str(folder))
    target = out or folder / "scene"
    write_scene(target, scene, cloud, photographs, _facts(scene, cloud, len(pairs), least, model))
    if scene.not_located:
        names = ", ".join(photographs[image].name for image in scene.not_located)
        typer.echo(f"PnP found no camera for {names}; do not trust their positions")
    if min_confidence is None and least < USUAL:
        typer.echo(surer_half(USUAL))
    typer.echo(
        f"{target / 'index.html'}: {len(photographs)} photographs, {len(cloud.points)} points"
    )


def _facts(
    scene: "Scene", cloud: "Cloud", pairs: int, least: float, model: Path
) -> list[tuple[str, str]]:
    """Name and value of each line of the page's table."""
    images = len(scene.focals)
    facts = [
        ("Photographs", str(images)),
        ("Pairs", str(pairs)),
        ("Points", f"{len(cloud.points):,} of {scene.depths.size:,} pixels"),
        ("Least confidence", f"{least:.7g}"),
        ("Focal lengths, pixels of the square", ", ".join(f"{f:.0f}" for f in scene.focals)),
        ("Mean weighted residual", f"{scene.objective:.3g}, in the scene's own unit"),
        ("Network", model.name),
    ]
    if scene.not_located:
        facts.insert(2, ("Cameras that PnP did not find", f"{len(scene.not_located)} of {images}"))
    return facts
