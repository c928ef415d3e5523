"""The verb `dust inspect`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dust_core.network.checkpoint import Checkpoint

_KINDS = {
    "dust": "a checkpoint of this project",
    "published": "the file that DUSt3R's authors publish",
    "hub": "a hub's folder: config.json and model.safetensors",
}


def inspect(
    model: Annotated[
        Path, typer.Argument(help="A checkpoint, a hub's folder, a graph, an engine.")
    ],
    side: Annotated[int, typer.Option(min=16, help="Side of the images, pixels.")] = 512,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a model is: its origin, shapes, parameters by part, operations a pair."""
    from dust_core.network.kinds import ModelKind, kind_of_model

    kind = kind_of_model(model)
    if kind is ModelKind.GRAPH:
        from dust_core.network.onnx.facts import graph_facts

        _print({"file": str(model), "kind": kind.value, **graph_facts(model)}, as_json)
    elif kind is ModelKind.ENGINE:
        _print({"file": str(model), "kind": kind.value, **engine_facts(model)}, as_json)
    else:
        from dust_core.network.checkpoint import load_checkpoint

        facts = describe(load_checkpoint(model), model, side)
        if as_json:
            typer.echo(json.dumps(facts, indent=2))
        else:
            _print_checkpoint(facts, side)


def engine_facts(engine: Path) -> dict[str, Any]:
    """What the manifest of an engine says, and whether it is this engine's; no GPU is needed.

    Raises:
        DustError: the manifest cannot be read.
    """
    from dust_core.bounded import MANIFEST_BYTES, read_json_bounded
    from dust_core.errors import DustError, first_line
    from dust_core.files import sha256_file

    sha256, size = sha256_file(engine), engine.stat().st_size / 1e6
    manifest = engine.with_name(engine.name + ".json")
    if not manifest.exists():
        return {"size_MB": size, "sha256": sha256, "manifest": "none, so it will not be loaded"}
    try:
        stated = read_json_bounded(manifest, MANIFEST_BYTES)
        if not isinstance(stated, dict) or "sha256" not in stated:
            raise ValueError("it names no SHA-256")
        agrees = stated["sha256"] == sha256
    except (OSError, ValueError) as error:
        raise DustError(
            f"not an engine manifest: {first_line(error)}",
            where=str(manifest),
            fix="build the engine again",
        ) from error
    about = "agrees" if agrees else "is of another engine, so this will not be loaded"
    return {**stated, "size_MB": size, "sha256": sha256, "manifest": about}


def _print(facts: dict[str, Any], as_json: bool) -> None:
    """Facts of a graph or an engine, a line for each, those of a mapping below one another."""
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return

    from rich.table import Table

    from dust_core.console import Terminal

    table = Table.grid(padding=(0, 3))
    table.add_column(style="bold")
    for name, value in facts.items():
        if isinstance(value, dict):
            value = "\n".join(f"{key}: {part}" for key, part in value.items()) or "none"
        elif isinstance(value, float):
            value = f"{value:.2f}"
        table.add_row(name.replace("_", " "), str(value))
    Terminal(soft_wrap=True).print(table)


def _print_checkpoint(facts: dict[str, Any], side: int) -> None:
    from rich.table import Table

    from dust_core.console import Terminal

    shape = facts["shape"]
    table = Table.grid(padding=(0, 3))
    table.add_column(style="bold")
    rows = [
        ("file", facts["file"]),
        ("what it is", _KINDS[facts["origin"]]),
        ("experiment", facts["exp_id"] or "none of ours"),
        ("spec digest", facts["spec_digest"] or "none"),
        ("digest inside", _digest(facts)),
        ("size", f"{facts['size_MB']:.1f} MB"),
        ("encoder", _part(shape, "enc")),
        ("decoders, each", _part(shape, "dec")),
        ("head", _head(shape)),
        (
            "images",
            f"{shape['patch_size']} pixels a patch; {side}x{side}: {facts['tokens']} tokens",
        ),
        ("operations", f"{facts['flops_G']:.2f} GFLOP a pair of {side}x{side}"),
        ("parameters", f"{facts['parameters_M']:.2f} million"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    for part, millions in facts["parts_M"].items():
        share = millions / facts["parameters_M"]
        table.add_row("", f"{millions:9.3f} million  {share:4.0%}  {part}")
    Terminal(soft_wrap=True).print(table)


def describe(checkpoint: "Checkpoint", path: Path, side: int) -> dict[str, Any]:
    """The facts that `dust inspect` prints, as values that JSON can hold.

    Args:
        path: the file or folder whose size is counted.
        side: the side of the square images for which operations are counted, pixels.

    Raises:
        DustError: the network's patches do not divide the images.
    """
    from dust_core.errors import DustError
    from dust_core.network.model.cost import flops_giga, parameters_by_part, parameters_millions

    network, patch = checkpoint.network, checkpoint.config.patch_size
    if side % patch:
        raise DustError(
            f"patches of {patch} pixels do not divide images of {side}",
            where="--side",
            fix=f"choose a multiple of {patch}",
        )
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return {
        "file": str(path),
        "origin": checkpoint.origin,
        "exp_id": checkpoint.exp_id,
        "spec_digest": checkpoint.spec_digest,
        "content_sha256": checkpoint.content_sha256,
        "size_MB": sum(file.stat().st_size for file in files) / 1e6,
        "shape": checkpoint.config.to_dict(),
        "tokens": (side // patch) ** 2,
        "flops_G": flops_giga(network, side, side),
        "parameters_M": parameters_millions(network),
        "parts_M": parameters_by_part(network),
    }


def _digest(facts: dict[str, Any]) -> str:
    """A file whose digest does not hold is not loaded, so that nothing is said of it."""
    return "holds" if facts["content_sha256"] else "none; records have the file's own SHA-256"


def _part(shape: dict[str, Any], name: str) -> str:
    heads, ffn = shape[f"{name}_heads"], shape[f"{name}_ffn"]
    return (
        f"{len(heads)} blocks of width {shape[f'{name}_dim']}: "
        f"{_range(heads)} heads of {shape[f'{name}_head_dim']}, feed-forward {_range(ffn)}"
    )


def _head(shape: dict[str, Any]) -> str:
    if shape["dpt"] is None:
        return "linear"
    dpt = shape["dpt"]
    return (
        f"DPT of {dpt['feature_dim']} channels, levels of {', '.join(map(str, dpt['layer_dims']))}"
    )


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
