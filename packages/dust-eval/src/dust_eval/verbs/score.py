"""The verb `dust score`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.change.text import counted
from dust_core.errors import DustError
from dust_eval.verbs.options import NarrowOption, ThreadsOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from rich.table import Table

    from dust_eval.quality.workload import QualityReport
    from dust_eval.runtimes import PairModel

_UNITS = {"absrel": "share", "rmse": "m", "delta1": "share", "chamfer": "m"}
_CHAMFER_POINTS, _SEED = 20_000, 42  # those of the workload


def score(
    model: Annotated[
        Path, typer.Argument(help="A checkpoint .pth, a graph .onnx, an engine .trt.")
    ],
    shards: Annotated[Path, typer.Argument(help="A folder of pair shards.")],
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Pairs to measure; default: all.")
    ] = None,
    bf16: NarrowOption = False,
    threads: ThreadsOption = 2,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for score.json and pairs.png.")
    ] = None,
) -> None:
    """Measure a network's quality on any set of pairs, by the workload's protocol."""
    from rich.progress import track

    from dust_core.console import Terminal
    from dust_core.files import atomic_path, atomic_write_text
    from dust_core.pairs.shards.manifest import read_manifest
    from dust_eval.measure.samples import set_samples
    from dust_eval.quality import measure_quality
    from dust_eval.runtimes import RuntimeOptions, load_any

    network = load_any(model, RuntimeOptions(precision="bf16" if bf16 else "fp32", threads=threads))
    for sample in set_samples(shards, 1):
        size = sample.truth.depth_1.shape
        if network.size not in (None, size):
            raise DustError(
                f"the graph takes images of {_by(network.size)}, the set has {_by(size)}",
                where=str(model),
                fix="export it for that size, or make the set anew with another --side",
            )
    count = min(pairs or 10**9, read_manifest(shards).pairs)
    report = measure_quality(
        network,
        track(set_samples(shards, count), "pairs", count, transient=True, console=Terminal()),
        chamfer_points=_CHAMFER_POINTS,
        seed=_SEED,
    )
    if report.unscored:
        raise DustError(
            report.why_unscored,
            where=str(model),
            fix="look at the pair with `dust data show`, and build or pull the model again",
            exit_code=1,
        )
    rows = dict(zip(report.pairs, zip(*report.per_pair.values(), strict=True), strict=True))
    Terminal().print(
        _table(f"{model.name} on {counted(count, 'pair')} of {shards}", rows, report.aggregate)
    )
    if out is not None:
        scores = {"model": model.name, "set": str(shards), "mean": report.aggregate, "pairs": rows}
        atomic_write_text(out / "score.json", json.dumps(scores, indent=2) + "\n")
        picture = _picture(network, shards, report)
        with atomic_path(out / "pairs.png") as temporary:
            picture.save(temporary, "PNG")
        typer.echo(f"{out / 'score.json'}, {out / 'pairs.png'}: the two best pairs, the two worst")


def _picture(network: "PairModel", shards: Path, report: "QualityReport") -> "Image":
    """The two best pairs and the two worst, labelled."""
    from dust_eval.measure.samples import set_samples
    from dust_eval.quality.pictures import compare, label

    quality = report.per_pair["delta1"]
    order = sorted(range(len(quality)), key=lambda pair: -quality[pair])
    chosen = dict.fromkeys([*order[:2], *order[-2:]])
    samples = dict(enumerate(set_samples(shards, 1 + max(chosen))))
    picture = compare(network, [samples[pair] for pair in chosen])
    return label(picture, [_caption(order, report, pair) for pair in chosen])


def _caption(order: "Sequence[int]", report: "QualityReport", pair: int) -> str:
    """How good a pair is among all, best first in `order`, and which pair it is."""
    place, count = 1 + order.index(pair), len(order)
    rank = {count: "worst", 1: "best"}.get(place, f"place {place}")
    value = report.per_pair["delta1"][pair]
    return f"{rank} of {count}: delta1 {value:.4f}   {report.pairs[pair]}"


def _table(title: str, rows: dict[str, tuple[float, ...]], mean: dict[str, float]) -> "Table":
    """Metrics as columns; pairs as rows, up to 30 of them, and their mean."""
    from rich.table import Table

    table = Table(title=title)
    table.add_column("pair")
    for name in mean:
        table.add_column(f"{name}, {_UNITS[name]}", justify="right")
    for name, values in rows.items() if len(rows) <= 30 else ():
        table.add_row(name, *(f"{value:.4f}" for value in values))
    table.add_row("mean", *(f"{value:.4f}" for value in mean.values()), style="bold")
    return table


def _by(size: tuple[int, ...]) -> str:
    return "x".join(map(str, reversed(size)))
