"""`dust data`: inspect, check and import sets of pair shards."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from dust_core.pairs.importing.commands import import_

app = typer.Typer(help="Sets of pair shards: look, prove, import.", no_args_is_help=True)
app.command("import")(import_)

Folder = Annotated[Path, typer.Argument(help="A folder of shards with its manifest.")]


@app.command()
def info(folder: Folder) -> None:
    """Print what a set contains."""
    from dust_core.files import sha256_file
    from dust_core.pairs.shards.manifest import MANIFEST, read_manifest

    manifest = read_manifest(folder)
    tars = [folder / shard.name for shard in manifest.shards]
    size = sum(tar.stat().st_size for tar in tars if tar.is_file())
    rows = {
        "split": manifest.split,
        "pairs": f"{manifest.pairs} in {len(manifest.shards)} shards, {size / 1e6:.1f} MB",
        "images": f"{manifest.height}x{manifest.width} {manifest.picture}",
        "scenes": f"{len(manifest.scenes)}: {', '.join(manifest.scenes)}",
        "licence": manifest.licence,
        "sha256": sha256_file(folder / MANIFEST),
    }
    for name, value in rows.items():
        typer.echo(f"{name:8} {value}")


@app.command()
def check(folder: Folder) -> None:
    """Check every shard: bytes, sizes, depth, cameras, geometry; exit 1 on a fault.

    A warning is no fault: a camera may be as unlikely as it says.
    """
    from rich.progress import Progress

    from dust_core.console import Terminal
    from dust_core.pairs.shards.check import check_set
    from dust_core.pairs.shards.manifest import read_manifest

    with Progress(console=Terminal(stderr=True), transient=True) as progress:
        bar = progress.add_task("pairs", total=read_manifest(folder).pairs)
        report = check_set(folder, on_pair=lambda: progress.advance(bar))
    for warning in report.warnings:
        typer.echo(f"warning: {warning}")
    for fault in report.faults:
        typer.echo(f"fault: {fault}")
    typer.echo(
        f"{report.agreeing} of {report.manifest.pairs} pairs agree in depth; medians of the warp: "
        f"covisible {100 * report.median('covisible'):.0f} %, "
        f"depth {100 * report.median('geometric'):.3f} %, "
        f"colour {report.median('photometric'):.2f} of 255"
    )
    if report.faults:
        typer.echo(f"{len(report.faults)} fault{'s' * (len(report.faults) > 1)}")
        raise typer.Exit(1)


@app.command()
def show(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write.")] = Path(
        "contact_sheet.png"
    ),
    pairs: Annotated[int, typer.Option(min=1, max=200, help="Pairs to show.")] = 8,
    first: Annotated[int, typer.Option(min=0, help="Number of the first pair.")] = 0,
) -> None:
    """Draw a contact sheet: images, depths, and view 2 warped into view 1."""
    from dust_core.errors import DustError
    from dust_core.files import atomic_path
    from dust_core.pairs.shards.contact_sheet import contact_sheet
    from dust_core.pairs.shards.reader import read_samples

    samples = list(islice(read_samples(folder), first, first + pairs))
    if not samples:
        raise DustError(f"there is no pair {first}", where=str(folder), fix="see `dust data info`")
    with atomic_path(out) as temporary:
        contact_sheet(samples).save(temporary, "PNG")
    typer.echo(f"wrote {out}")
