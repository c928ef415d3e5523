"""The verb `dust predict`."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dust_core.declared.change.text import counted
from dust_core.errors import DustError
from dust_core.files import require_folder
from dust_eval.verbs.options import (
    AspectOption,
    ConfidenceOption,
    MasksOption,
    ModelOption,
    ModeOption,
    NarrowOption,
    SideOption,
    ThreadsOption,
)
from dust_eval.verbs.wording import nothing_sure, say_what_was_read, spent

if TYPE_CHECKING:
    from dust_core.pairs.pictures.photographs import Photograph
    from dust_eval.runtimes import PairModel
    from dust_eval.scene.pair import PairScene

MOST_PAIRS = 200
"""Pairs of one call, unless `--limit` says otherwise."""


def predict(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Two photographs of one place; or more of them, a folder, a pattern, a video."
        ),
    ],
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")] = Path(
        "prediction"
    ),
    side: SideOption = None,
    mode: ModeOption = "crop",
    aspect: AspectOption = "square",
    masks: MasksOption = None,
    pairs: Annotated[
        Literal["consecutive", "all"], typer.Option(help="Of more than two pictures.")
    ] = "consecutive",
    limit: Annotated[int, typer.Option(min=1, help="Most pairs of one call.")] = MOST_PAIRS,
    every: Annotated[int, typer.Option(min=1, help="Of a video, each so many frames.")] = 10,
    min_confidence: ConfidenceOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a damaged picture.")] = False,
    bf16: NarrowOption = False,
    threads: ThreadsOption = 2,
) -> None:
    """Turn two photographs into a coloured cloud, depth, confidence, pose and focal lengths.

    Of more photographs, each pair has a folder of its own, and pairs.json lists them.
    What an earlier call wrote into the folder is removed.
    """
    from dust_core.pairs.pictures.chosen import find_photographs
    from dust_core.pairs.pictures.photographs import read_photographs
    from dust_eval.verbs.pair_list import are_a_pair, choose_pairs, pair_folders, require_few
    from dust_eval.verbs.shapes import image_shape

    require_folder(out)
    two, start = are_a_pair(sources), perf_counter()
    chosen = find_photographs(sources)
    _require_apart(out, chosen.paths)
    if not two:
        require_few(chosen, pairs, limit)

    from dust_eval.runtimes import RuntimeOptions, load_any

    options = RuntimeOptions(precision="bf16" if bf16 else "fp32", threads=threads)
    network = load_any(model, options)
    shape = image_shape(network, model, side=side, mode=mode, aspect=aspect, masks=masks)
    photographs, left_out = read_photographs(chosen, shape, every=every, strict=strict or two)
    say_what_was_read(photographs, left_out)
    listed = choose_pairs(len(photographs), pairs, limit)
    folders = [out] if two else pair_folders(out, photographs, listed)
    named = [
        (folder, [photographs[index] for index in pair])
        for folder, pair in zip(folders, listed, strict=True)
    ]
    _write_pairs(network, model, named, min_confidence, out, listed=not two)
    typer.echo(spent(perf_counter() - start))


def _require_apart(out: Path, photographs: "Sequence[Path]") -> None:
    if out.resolve() in {path.resolve().parent for path in photographs}:
        raise DustError(
            "the photographs are in this folder: what is written beside them would be taken for "
            "photographs the next time",
            where=str(out),
            fix="name another folder with --out",
        )


def _write_pairs(
    network: "PairModel",
    model: Path,
    named: "Sequence[tuple[Path, Sequence[Photograph]]]",
    min_confidence: float | None,
    out: Path,
    *,
    listed: bool,
) -> None:
    """Predict pairs, write each into its folder, and list in `out` those that are written.

    Raises:
        DustError: no pair has a pixel that is sure enough.
    """
    from dust_core.console import Terminal
    from dust_eval.scene.cloud import USUAL, surer_half
    from dust_eval.scene.files import pair_facts, write_pair, write_pair_list
    from dust_eval.verbs.predict_folder import LIST, remove_earlier

    console, facts = Terminal(), list[dict[str, Any]]()
    unsure: list[tuple[str, DustError]] = []
    for number, (folder, photographs) in enumerate(named, 1):
        began = perf_counter()
        with console.status(f"predicting pair {number} of {len(named)}"):
            scene = _predicted(network, model, photographs, min_confidence)
        if not len(scene.cloud.points):
            unsure.append((folder.name, nothing_sure(scene.min_confidence, scene.confidences)))
            continue
        if not facts and (earlier := remove_earlier(out)):
            typer.echo(f"{out}: an earlier prediction is removed, pairs: {earlier}")
        few = min_confidence is None and scene.min_confidence < USUAL
        warnings = [surer_half()] if few else []
        write_pair(folder, scene, model.name, warnings)
        facts.append(pair_facts(folder, scene, perf_counter() - began))
        if listed:  # after each, so that the list of a call that is interrupted is whole, too
            write_pair_list(out, model.name, facts)
        lines = [*summary(scene, folder), *warnings]
        for line in [f"{folder.name}:", *lines] if listed else lines:
            typer.echo(line)
    if not facts:
        raise unsure[0][1]
    if listed:
        typer.echo(f"{out / LIST}: {counted(len(facts), 'pair')}")
    if unsure:
        names = ", ".join(name for name, _ in unsure[:3])
        typer.echo(f"no pixel is sure enough in {counted(len(unsure), 'pair')}: {names}")


def _predicted(
    network: "PairModel",
    model: Path,
    photographs: "Sequence[Photograph]",
    min_confidence: float | None,
) -> "PairScene":
    from dust_core.pairs.pictures.canvas import on_one_canvas
    from dust_eval.runtimes import EncodesOnce
    from dust_eval.scene.graph import hide_bars, predict_edges, require_finite
    from dust_eval.scene.pair import pair_scene

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
    photographs = on_one_canvas(photographs)
    shown = [photograph.shown() for photograph in photographs]
    return pair_scene(photographs, hide_bars(edges, shown), min_confidence)


def summary(scene: "PairScene", out: Path) -> list[str]:
    """Lines that sum up a network's prediction of two photographs."""
    import numpy as np

    from dust_eval.scene.initial import PNP_PIXELS

    focals = np.array(scene.focals)
    sizes = np.array([photograph.placement.place[2:] for photograph in scene.photographs])
    across = 2 * np.degrees(np.arctan(sizes[:, 0] / 2 / focals))
    shapes = list(dict.fromkeys(f"{width}x{height}" for width, height in sizes))
    lines = [
        f"focal lengths: {focals[0]:.0f} and {focals[1]:.0f} pixels of the "
        f"{' and '.join(shapes)} image{'s' if len(shapes) > 1 else ''} "
        f"({across[0]:.0f} and {across[1]:.0f} degrees across)"
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
