"""`dust data import`: turn a data set of a known layout into pair shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dust_core.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dust_core.pairs.geometry import Floats
    from dust_core.pairs.importing.adapters import Layout
    from dust_core.pairs.importing.importer import Settings, Tally
    from dust_core.pairs.shards.sample import Members
    from dust_core.pairs.shards.tars import Manifest

_REQUEST = "import.json"


LayoutName = Annotated[str, typer.Argument(help="manifest, 7-scenes, tum, colmap or middlebury.")]
Source = Annotated[Path, typer.Argument(metavar="SRC", help="The folder, or the manifest.")]
Target = Annotated[Path, typer.Argument(metavar="DST", help="The folder of shards to write.")]
Side = Annotated[int, typer.Option(min=16, max=4096, help="Of the images, pixels.")]
Squares = Annotated[Literal["crop", "letterbox"], typer.Option(help="How pictures become squares.")]
Split = Annotated[str, typer.Option(help="What the set is for.")]
Licence = Annotated[str, typer.Option(help="The licence of the data.")]
Picture = Annotated[Literal["jpg", "png"], typer.Option(help="The format of colour.")]
DepthUnit = Annotated[
    float, typer.Option(min=1e-6, help="Step of stored depth, m; 65,535 are kept.")
]
PairsPerShard = Annotated[int, typer.Option(min=1, help="Pairs a tar.")]
Scenes = Annotated[list[str] | None, typer.Option(help="Only scenes like this (*, ?); repeatable.")]
MinOverlap = Annotated[float, typer.Option(help="Least covisibility, 0 to 1.")]
MaxOverlap = Annotated[float, typer.Option(help="Most covisibility, 0 to 1.")]
Window = Annotated[int, typer.Option(min=1, help="Following frames tried.")]
PairsPerFrame = Annotated[int, typer.Option(min=1, help="Pairs that begin with one frame.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the order in which they are tried.")]
# Options of single layouts; without them a layout has its own default.
Intrinsics = Annotated[
    str | None, typer.Option(help="7-scenes, tum: fx,fy,cx,cy of colour, or a file of K.")
]
DepthIntrinsics = Annotated[
    str | None, typer.Option(help="7-scenes: the same of depth that is not registered to colour.")
]
ColourFromDepth = Annotated[
    Path | None, typer.Option(help="7-scenes: a file of the 4x4 pose from depth to colour.")
]
DepthStep = Annotated[
    float | None,
    typer.Option(min=1e-9, help="manifest, colmap: metres a step of whole-number depth (0.001)."),
]
TimeGap = Annotated[
    float | None, typer.Option(min=0, help="tum: seconds between colour, depth, pose (0.02).")
]
Depths = Annotated[
    str | None, typer.Option(help="colmap: the folder of depth maps (stereo/depth_maps).")
]
MetresPerUnit = Annotated[
    float | None, typer.Option(min=1e-9, help="colmap: the scale of the model (1).")
]


def import_(
    layout: LayoutName,
    source: Source,
    folder: Target,
    side: Side = 512,
    mode: Squares = "crop",
    split: Split = "training",
    licence: Licence = "not stated",
    picture: Picture = "jpg",
    depth_unit: DepthUnit = 0.001,
    pairs_per_shard: PairsPerShard = 256,
    scene: Scenes = None,
    min_overlap: MinOverlap = 0.25,
    max_overlap: MaxOverlap = 0.95,
    window: Window = 30,
    pairs_per_frame: PairsPerFrame = 2,
    seed: Seed = 42,
    intrinsics: Intrinsics = None,
    depth_intrinsics: DepthIntrinsics = None,
    colour_from_depth: ColourFromDepth = None,
    depth_step: DepthStep = None,
    time_gap: TimeGap = None,
    depths: Depths = None,
    metres_per_unit: MetresPerUnit = None,
) -> None:
    """Turn a data set of a known layout into pair shards.

    Pairs are chosen by measured covisibility. Called again after it was interrupted, it goes on.
    """
    from dust_core.pairs.framing import Mode
    from dust_core.pairs.importing.choose import Selection
    from dust_core.pairs.importing.importer import Settings

    options = {
        "intrinsics": _matrix(intrinsics),
        "depth_intrinsics": _matrix(depth_intrinsics),
        "colour_from_depth": _pose(colour_from_depth),
        "depth_step": depth_step,
        "time_gap": time_gap,
        "depths": depths,
        "metres_per_unit": metres_per_unit,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = Settings(
        side=side,
        mode=Mode(mode),
        selection=Selection(min_overlap, max_overlap, window, pairs_per_frame, seed),
        split=split,
        source=f"{layout}: {source.resolve().name}",
        licence=licence,
        scenes=tuple(scene or ()),
        picture=picture,
        depth_unit_m=depth_unit,
    )
    manifest, tally = _run(_layout(layout, given), source, folder, settings, given, pairs_per_shard)
    _say(manifest, tally, folder)


def _say(manifest: "Manifest", tally: "Tally", folder: Path) -> None:
    if tally.without:
        names = ", ".join(sorted(tally.without))
        typer.echo(f"no pair within the bounds in {len(tally.without)} scenes: {names}", err=True)
    typer.echo(
        f"{folder}: {manifest.pairs} pairs (frames: {tally.frames}, scenes: "
        f"{len(manifest.scenes)}, shards: {len(manifest.shards)})\n"
        f"prove them with: dust data check {folder}"
    )


def _run(
    layout: "Layout",
    source: Path,
    folder: Path,
    settings: "Settings",
    given: dict[str, Any],
    pairs_per_shard: int,
) -> "tuple[Manifest, Tally]":
    """Write the shards with a bar for the recording in hand: how many follow is not known."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from dust_core.pairs.importing.adapters import Recording
    from dust_core.pairs.importing.importer import Tally, samples
    from dust_core.pairs.shards.tars import write_shards

    request = _request(settings, given, pairs_per_shard)
    skip = _finished(folder, request, pairs_per_shard)
    tally = Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    counted = TextColumn("{task.fields[pairs]} pairs")
    console = Console(stderr=True)
    with Progress(
        *columns,
        counted,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("frames", total=None, pairs=0)

        def show(recording: Recording, frames: int, tally: Tally) -> None:
            total = len(recording.frames)
            label = f"{recording.scene}, frames"
            bar.update(task, description=label, completed=frames, total=total, pairs=tally.pairs)

        manifest = write_shards(
            _noted(
                samples(layout, source, settings, tally, skip=skip, on_frame=show), folder, request
            ),
            folder,
            split=settings.split,
            licence=settings.licence,
            pairs_per_shard=pairs_per_shard,
        )
    return manifest, tally


def _layout(name: str, given: dict[str, Any]) -> "Layout":
    from dataclasses import fields, is_dataclass

    from dust_core.pairs.importing.adapters import LAYOUTS

    if name not in LAYOUTS:
        raise DustError(f"the layout {name} is not known", fix=f"one of {', '.join(LAYOUTS)}")
    kind = LAYOUTS[name]
    known: set[str] = {option.name for option in fields(kind)} if is_dataclass(kind) else set()
    for option in given:
        if option not in known:
            flag = f"--{option.replace('_', '-')}"
            raise DustError(f"the layout {name} takes no {flag}", fix=f"leave out {flag}")
    return kind(**given)


def _request(settings: "Settings", given: dict[str, Any], pairs_per_shard: int) -> dict[str, Any]:
    """All that decides what the shards hold, as plain data."""
    from dataclasses import asdict

    options = {name: getattr(value, "tolist", lambda v=value: v)() for name, value in given.items()}
    return {
        **asdict(settings),
        "scenes": list(settings.scenes),
        "options": options,
        "pairs_per_shard": pairs_per_shard,
    }


def _noted(
    stream: "Iterator[Members]", folder: Path, request: dict[str, Any]
) -> "Iterator[Members]":
    """The same samples; before the first, what was asked for is written beside the shards."""
    import json

    from dust_core.files import atomic_write_text

    for position, members in enumerate(stream):
        if position == 0:
            atomic_write_text(folder / _REQUEST, json.dumps(request, indent=1) + "\n")
        yield members


def _finished(folder: Path, request: dict[str, Any], pairs_per_shard: int) -> int:
    """How many pairs an interrupted call for the same has finished.

    Raises:
        DustError: the folder holds shards of something else.
    """
    import json

    from dust_core.pairs.shards.tars import unfinished_pairs

    finished = unfinished_pairs(folder, pairs_per_shard)
    if not finished and not any(folder.glob("pairs-*.tar")):
        return 0
    try:
        before = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    differing = sorted(key for key in request if before.get(key) != request[key])
    if differing:
        raise DustError(
            f"it holds shards made with other options (differing: {', '.join(differing)})",
            where=str(folder),
            fix="repeat the options to go on, or name an empty folder",
        )
    return finished


def _matrix(value: str | None) -> "Floats | None":
    from dust_core.pairs.importing.adapters.base import camera_matrix
    from dust_core.pairs.importing.adapters.files import parse_numbers, read_numbers

    if value is None:
        return None
    path = Path(value)
    numbers = read_numbers(path, (4, 9), "K") if path.is_file() else parse_numbers(value, value)
    return camera_matrix(numbers, value)


def _pose(path: Path | None) -> "Floats | None":
    from dust_core.pairs.importing.adapters.base import rigid
    from dust_core.pairs.importing.adapters.files import read_numbers

    if path is None:
        return None
    return rigid(read_numbers(path, (16,), "a pose").reshape(4, 4), str(path))
