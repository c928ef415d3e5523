"""`dust spec`: schemas, the reference, a resolved task."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dust_core.errors import DustError
from dust_core.files import atomic_write_text

app = typer.Typer(help="Schemas, reference and resolved tasks.", no_args_is_help=True)

Check = Annotated[bool, typer.Option("--check", help="Write nothing; fail if out of date.")]
Specs = Annotated[Path, typer.Option("--specs", help="Folder of the specs.")]


@app.command()
def schema(check: Check = False, specs: Specs = Path("specs")) -> None:
    """Write the JSON Schemas of specs and results."""
    from dust_core.declared.reference.schema import VERSION, schema_texts, stale_schemas

    folder = specs / "schema" / VERSION
    if check:
        _require_fresh(stale_schemas(folder), folder, "dust spec schema")
        return
    for name, text in schema_texts().items():
        atomic_write_text(folder / name, text)
    for name in stale_schemas(folder):
        (folder / name).unlink()
    typer.echo(f"wrote {len(schema_texts())} schemas to {folder}")


@app.command()
def docs(check: Check = False, out: Path = Path("docs/specs.md")) -> None:
    """Write the reference of all fields."""
    from dust_core.declared.reference.fields import reference

    text = reference()
    if check:
        fresh = out.is_file() and out.read_text(encoding="utf-8") == text
        _require_fresh([] if fresh else [out.name], out.parent, "dust spec docs")
        return
    atomic_write_text(out, text)
    typer.echo(f"wrote {out}")


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="A task's id, e.g. K-1.")],
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name.")] = "small",
    specs: Specs = Path("specs"),
) -> None:
    """Print a task with everything that decides it, as JSON."""
    from dust_core.declared.specs import load_specs, resolve

    resolved = resolve(load_specs(specs), task, profile)
    values = {
        "id": resolved.id,
        "exp_id": resolved.exp_id,
        "digest": resolved.digest,
        "profile_digest": resolved.profile_digest,
        "workload_digest": resolved.workload_digest,
        "task": resolved.task.model_dump(mode="json"),
        "common": None if resolved.common is None else resolved.common.model_dump(mode="json"),
        "references": {name: other.digest for name, other in resolved.references.items()},
        "gates": {name: gate.model_dump(mode="json") for name, gate in resolved.gates.items()},
        "workload": resolved.workload.model_dump(mode="json"),
        "profile": resolved.profile.model_dump(mode="json"),
    }
    typer.echo(json.dumps(values, indent=2))


def _require_fresh(stale: list[str], folder: Path, command: str) -> None:
    if stale:
        raise DustError(
            f"out of date: {', '.join(stale)}",
            where=str(folder),
            fix=f"run `{command}` and commit what it writes",
            exit_code=1,
        )
