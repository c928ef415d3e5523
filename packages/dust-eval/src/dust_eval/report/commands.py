"""The verb `dust report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.records.commands import ArtifactsOption
from dust_core.errors import DustError
from dust_core.tracked import PULL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dust_eval.report.build import Built, Source
    from dust_eval.report.runs import RunComparison

MOST_BYTES = 10_000_000
"""The greatest size of a page: it is to be mailed and opened on a phone."""

_USUAL_PORT = 8765


def report(
    profile: ProfileOption = "small",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder; default: report beside the results."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER",
            help="Another run beside this one: a git revision, or a folder of results.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures", help="Run the networks on pairs and a scene, and draw them."
        ),
    ] = True,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Serve the page here, anew when a record or a log changes."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help=f"Of --serve; default: {_USUAL_PORT}.", show_default=False
        ),
    ] = None,
    specs: SpecsOption = SPECS,
    artifacts: ArtifactsOption = ARTIFACTS,
) -> None:
    """Write a page with all results: verdicts, pictures, figures, curves, hypotheses."""
    from dust_eval.report.build import Source

    source = Source(specs, artifacts, profile, other=compare, pictures=pictures)
    if serve:
        if out is not None:
            raise DustError("--serve writes no file", where="--out", fix="omit one of the two")
        _serve(source, _USUAL_PORT if port is None else port)
        return
    if port is not None:
        raise DustError("only --serve opens a port", where="--port", fix="add --serve")
    _write(source, (out or source.folder / "report") / "index.html")


def _write(source: "Source", target: Path) -> None:
    from dust_core.console import Terminal
    from dust_core.files import atomic_write_text, require_folder
    from dust_eval.report.build import build

    require_folder(target.parent)
    with Terminal(stderr=True).status("making the page"):
        built = build(source)
    size = len(built.html.encode())
    if size > MOST_BYTES:
        raise DustError(
            f"the page has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}",
            where=str(target),
            fix="leave the pictures out: --no-pictures",
            exit_code=1,
        )
    atomic_write_text(target, built.html)
    if built.compared is not None:
        typer.echo("\n".join(_changes(built.compared)))
    content = built.content
    typer.echo(f"{target}: {content.executed} of {content.tasks} tasks have results")
    if content.executed:
        for line in _missing(built):
            typer.echo(line)
    else:
        fetch = f"fetch them with `{PULL}`, or run" if content.recorded else "run"
        typer.echo(f"{fetch} a stage first: dust repro P0 --profile {source.profile}")


def _missing(built: "Built") -> "Iterator[str]":
    """What was asked for and is not on the page, and what fetches it."""
    away = [task.id for task in built.content.views if task.status == "dvc pull"]
    if away:
        yield f"results that are not here: {', '.join(away)}"
    drawn = built.illustrations
    reasons = (drawn.no_pairs, drawn.no_scene) if drawn else ("", "")
    if reasons[0] and reasons[0] == reasons[1]:
        yield f"no pictures and no scene: {reasons[0]}"
    else:
        for what, reason in zip(("pictures", "scene"), reasons, strict=True):
            if reason:
                yield f"no {what}: {reason}"
    if away or any("dvc pull" in reason for reason in reasons):
        yield f"fetch all that is missing with `{PULL}`, then run this again"


def _changes(compared: "RunComparison") -> list[str]:
    """The verdicts that changed, a line each."""
    changed = [row for row in compared.verdicts if row.changed]
    lines = [f"{row.task} {row.line}: {row.before} -> {row.after}" for row in changed]
    total = len(compared.verdicts)
    return [*lines, f"{len(changed)} of {total} verdicts changed against {compared.name}"]


def _serve(source: "Source", port: int) -> None:
    from dust_core.console import Terminal
    from dust_eval.report.serve import HOST, Site, open_server

    site = Site(source, typer.echo)
    with open_server(site, port) as server:
        with Terminal(stderr=True).status("making the page"):
            site.page()  # what is wrong with the specs ends the command, not the first request
        typer.echo(f"http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)")
        server.serve_forever(poll_interval=0.2)
