"""One call of `dust data import`: shards, a bar, going on after an interruption, a report."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dust_core.bounded import read_json_bounded
from dust_core.console import Terminal
from dust_core.errors import DustError
from dust_core.files import atomic_write_text, require_folder
from dust_core.pairs.importing.adapters import LAYOUTS, Layout
from dust_core.pairs.importing.importer import Settings, Step, samples
from dust_core.pairs.importing.parallel import Readers, processes
from dust_core.pairs.importing.source import Trace, differing, keep_trace, trace
from dust_core.pairs.importing.tally import Tally
from dust_core.pairs.shards.manifest import Manifest
from dust_core.pairs.shards.sample import Members
from dust_core.pairs.shards.tars import (
    unfinished_folder,
    unfinished_pairs,
    write_shards,
)

_REQUEST = "import.json"
_REQUEST_BYTES = 1_000_000
_REPORT = "report.json"
_PATHS = 3


def say(manifest: Manifest, tally: Tally, folder: Path) -> None:
    """Print what an import made, and what it left out."""
    for line in tally.lines():
        typer.echo(line, err=True)
    typer.echo(
        f"{folder}: {manifest.pairs} pairs (frames: {tally.used} of {tally.found}, scenes: "
        f"{len(manifest.scenes)}, shards: {len(manifest.shards)})\n"
        f"prove them with: dust data check {folder}"
    )


def run(
    layout: Layout,
    source: Path,
    folder: Path,
    settings: Settings,
    given: dict[str, Any],
    pairs_per_shard: int,
    jobs: int,
    on: str | None = None,
) -> tuple[Manifest, Tally]:
    """Write the shards with a bar for the recording in hand: how many follow is not known.

    Args:
        jobs: processes that read scenes.
        on: a scheduler whose workers read them instead; None: there is none.

    Raises:
        DustError: as `samples` and `write_shards`; the folder holds shards of something else; or
            the workers cannot read the source.
    """
    require_folder(folder)
    request = _request(settings, given, pairs_per_shard)
    traced = trace(source, given, folder)
    finished = _finished(folder, request, pairs_per_shard)
    changed = differing(unfinished_folder(folder), traced) if finished else []
    if changed:
        typer.echo(
            "the source is another, or has changed since the call that was interrupted: all of it "
            f"is read again and compared with the finished shards (differing: {_some(changed)})",
            err=True,
        )
    tally = Tally()
    with _nothing_left(folder), _readers(source, folder, jobs, on) as readers, _bar() as bar:
        task = bar.add_task("frames", total=None, scenes=0, pairs=0)

        def show(step: Step) -> None:
            frame, frames = step.frames
            label = f"{step.scene}, frames"
            bar.update(task, description=label, completed=frame, total=frames)
            bar.update(task, scenes=step.scenes, pairs=step.pairs)

        stream = samples(
            layout,
            source if on is None else source.absolute(),
            settings,
            tally,
            skip=0 if changed else finished,
            readers=readers,
            folder=unfinished_folder(folder.absolute()),
            on_step=show,
        )
        manifest = write_shards(
            _noted(stream, folder, request, traced, finished),
            folder,
            split=settings.split,
            licence=settings.licence,
            pairs_per_shard=pairs_per_shard,
        )
    atomic_write_text(folder / _REPORT, tally.as_json())
    return manifest, tally


@contextmanager
def _readers(source: Path, folder: Path, jobs: int, on: str | None) -> Iterator[Readers | None]:
    """Who reads the scenes: workers, processes, or None for this process."""
    if on is not None:
        if jobs > 1:
            raise DustError("--jobs counts processes of this machine", fix="leave it out with --on")
        from dust_core.pairs.importing.workers import workers

        with workers(on, source.absolute(), unfinished_folder(folder.absolute())) as readers:
            yield readers
    elif jobs > 1:
        with processes(jobs) as readers:
            yield readers
    else:
        yield None


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """An import that ends without a tar leaves nothing that the next could go on with."""
    was_there = folder.exists()
    try:
        yield
    except BaseException:
        unfinished = unfinished_folder(folder)
        if not any(unfinished.glob("pairs-*.tar")):
            shutil.rmtree(unfinished, ignore_errors=True)
            if not was_there and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def _bar() -> Progress:
    console = Terminal(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[scenes]} scenes, {task.fields[pairs]} pairs"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def layout_of(name: str, given: dict[str, Any]) -> Layout:
    """The layout of this name, with its options.

    Raises:
        DustError: there is no such layout, or it takes no such option.
    """
    if name not in LAYOUTS:
        raise DustError(f"the layout {name} is not known", fix=f"one of {', '.join(LAYOUTS)}")
    kind = LAYOUTS[name]
    known: set[str] = {option.name for option in fields(kind)} if is_dataclass(kind) else set()
    for option in given:
        if option not in known:
            flag = f"--{option.replace('_', '-')}"
            raise DustError(f"the layout {name} takes no {flag}", fix=f"leave out {flag}")
    return kind(**given)


def _request(settings: Settings, given: dict[str, Any], pairs_per_shard: int) -> dict[str, Any]:
    """All that decides what the shards hold, as plain data."""
    options = {name: _plain(value) for name, value in given.items()}
    deciding = asdict(settings)
    del deciding["strict"]  # it decides whether shards are made, not what they hold
    return {
        **deciding,
        "scenes": list(settings.scenes),
        "options": options,
        "pairs_per_shard": pairs_per_shard,
    }


def _some(paths: list[str]) -> str:
    more = [f"and {len(paths) - _PATHS} more"] if len(paths) > _PATHS else []
    return ", ".join([*paths[:_PATHS], *more])


def _plain(value: Any) -> Any:
    """An option as JSON holds it."""
    return str(value) if isinstance(value, Path) else getattr(value, "tolist", lambda: value)()


def _noted(
    stream: Iterator[Members], folder: Path, request: dict[str, Any], traced: Trace, finished: int
) -> Iterator[Members]:
    """The same samples; before the first, what was asked for is written beside the shards.

    What identifies the source follows once the finished shards have been compared with it.
    """
    for position, members in enumerate(stream):
        if position == finished:
            keep_trace(unfinished_folder(folder), traced)
        if position == 0:
            atomic_write_text(folder / _REQUEST, json.dumps(request, indent=1) + "\n")
        yield members


def _finished(folder: Path, request: dict[str, Any], pairs_per_shard: int) -> int:
    """How many pairs an interrupted call for the same has finished.

    Raises:
        DustError: the folder holds shards of something else.
    """
    finished = unfinished_pairs(folder, pairs_per_shard)
    if not finished and not any(folder.glob("pairs-*.tar")):
        return 0
    try:
        before = read_json_bounded(folder / _REQUEST, _REQUEST_BYTES)
    except (OSError, ValueError):
        before = {}
    if not isinstance(before, dict) or not before:
        raise DustError(
            f"it holds shards, and no {_REQUEST} that says what they are",
            where=str(folder),
            fix="name an empty folder",
        )
    differing = sorted(key for key in request if before.get(key) != request[key])
    if differing:
        raise DustError(
            f"it holds shards made with other options (differing: {', '.join(differing)})",
            where=str(folder),
            fix="repeat the options to go on, or name an empty folder",
        )
    return finished
