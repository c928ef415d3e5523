"""The verb `dust predict`."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

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
from dust_eval.verbs.wording import nothing_sure, say_what_was_read, spent, surer_half

if TYPE_CHECKING:
    from dust_eval.scene.pair import PairScene


def predict(
    first: Annotated[Path, typer.Argument(metavar="A", help="A photograph.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another of the same place.")],
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")] = Path(
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
    from dust_core.pairs.pictures.photographs import read_photograph

    for path in (first, second):
        if not path.is_file():
            raise DustError("no such photograph", where=str(path), fix="name a picture file")

    from dust_eval.runtimes import EncodesOnce, RuntimeOptions, load_any, side_of
    from dust_eval.scene.cloud import USUAL
    from dust_eval.scene.files import write_pair
    from dust_eval.scene.graph import hide_bars, predict_edges, require_finite
    from dust_eval.scene.pair import pair_scene

    console, start = Console(), perf_counter()
    with console.status("loading the network"):
        options = RuntimeOptions(precision="bf16" if bf16 else "fp32", threads=threads)
        network = load_any(model, options)
    square = side_of(network, model, side)
    photographs = [read_photograph(path, square, Mode(mode)) for path in (first, second)]
    say_what_was_read(photographs)
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
    require_finite(edges, where=model.name)
    shown = [photograph.shown() for photograph in photographs]
    scene = pair_scene(photographs, hide_bars(edges, shown), min_confidence)
    if not len(scene.cloud.points):
        raise nothing_sure(scene.min_confidence, scene.confidences)
    write_pair(out, scene, model.name)
    for line in summary(scene, out):
        typer.echo(line)
    if min_confidence is None and scene.min_confidence < USUAL:
        typer.echo(surer_half(USUAL))
    typer.echo(spent(perf_counter() - start))


def summary(scene: "PairScene", out: Path) -> list[str]:
    """Lines that sum up a network's prediction of two photographs."""
    import numpy as np

    from dust_eval.scene.initial import PNP_PIXELS

    focals, side = np.array(scene.focals), scene.photographs[0].placement.side
    widest = 2 * np.degrees(np.arctan(side / 2 / focals))
    lines = [
        f"focal lengths: {focals[0]:.0f} and {focals[1]:.0f} pixels of the square "
        f"({widest[0]:.0f} and {widest[1]:.0f} degrees of view)"
    ]
    if scene.pose is None:
        lines.append("B against A: PnP found no camera that sees B's points at their pixels")
    else:
        turned = np.degrees(np.arccos(np.clip((np.trace(scene.pose[:3, :3]) - 1) / 2, -1, 1)))
        moved = np.linalg.norm(scene.pose[:3, 3]) / np.median(scene.depths[0])
        lines.append(
            f"B against A: turned by {turned:.1f} degrees, moved by {moved:.2f} of A's median "
            f"depth; that explains {scene.explained:.0%} of B's points to {PNP_PIXELS:g} pixels"
        )
    lines.append(
        f"{out / 'cloud.ply'}: {len(scene.cloud.points):,} points of confidence "
        f"{scene.min_confidence:.4g} and more"
    )
    return lines
