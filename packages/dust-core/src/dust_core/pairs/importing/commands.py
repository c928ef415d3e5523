"""`dust data import`: turn a data set of a known layout into pair shards."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from dust_core.pairs.geometry import Floats

LayoutName = Annotated[
    str,
    typer.Argument(
        help="manifest, 7-scenes, tum, colmap, middlebury, scannet, scannet++, co3d, dtu, "
        "nerfstudio, arkitscenes or dust3r (what its preprocessing leaves)."
    ),
]
Source = Annotated[Path, typer.Argument(metavar="SRC", help="The folder, or the manifest.")]
Target = Annotated[Path, typer.Argument(metavar="DST", help="The folder of shards to write.")]
Side = Annotated[int, typer.Option(min=16, max=4096, help="Of the images, pixels.")]
Squares = Annotated[Literal["crop", "letterbox"], typer.Option(help="How pictures become squares.")]
Split = Annotated[
    Literal["training", "validation", "calibration", "evaluation"],
    typer.Option(help="What the set is for; a workload is for evaluation."),
]
Licence = Annotated[str, typer.Option(help="The licence of the data.")]
Picture = Annotated[Literal["jpg", "png"], typer.Option(help="The format of colour.")]
DepthUnit = Annotated[
    float | None,
    typer.Option(min=1e-6, help="Step of stored depth, m; by default what each view needs."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first frame with a fault.")]
PairsPerShard = Annotated[int, typer.Option(min=1, help="Pairs a tar.")]
Scenes = Annotated[list[str] | None, typer.Option(help="Only scenes like this (*, ?); repeatable.")]
MinOverlap = Annotated[float, typer.Option(help="Least covisibility, 0 to 1.")]
MaxOverlap = Annotated[float, typer.Option(help="Most covisibility, 0 to 1.")]
Window = Annotated[int, typer.Option(min=1, help="Following frames tried.")]
PairsPerFrame = Annotated[int, typer.Option(min=1, help="Pairs that begin with one frame.")]
Clique = Annotated[
    int | None,
    typer.Option(
        metavar="VIEWS",
        help="For a workload: of each scene so many views that all overlap, and their pairs.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the order in which they are tried.")]
On = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEDULER",
        help="Give scenes to workers of dask, which see the same files: tcp://HOST:PORT, local:3.",
    ),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes, each with a scene of its own.")]
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
    typer.Option(min=1e-9, help="manifest, colmap, tum, nerfstudio: metres a step of depth."),
]
RecorderName = Annotated[
    str | None, typer.Option(help="tum: freiburg1, freiburg2, freiburg3 or bonn (the folder's).")
]
TimeGap = Annotated[
    float | None, typer.Option(min=0, help="tum, arkitscenes: seconds between picture and pose.")
]
Depths = Annotated[str | None, typer.Option(help="colmap, scannet++: the folder of depth maps.")]
MetresPerUnit = Annotated[
    float | None, typer.Option(min=1e-9, help="colmap, co3d, nerfstudio, dust3r: the scale (1).")
]
Foreground = Annotated[
    bool, typer.Option("--foreground", help="co3d: depth on the object alone, by its mask.")
]
Visits = Annotated[
    Path | None, typer.Option(help="arkitscenes: the CSV of videos and visits: a visit is a scene.")
]
Device = Annotated[
    Literal["iphone", "dslr"] | None, typer.Option(help="scannet++: one camera's pictures alone.")
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
    depth_unit: DepthUnit = None,
    pairs_per_shard: PairsPerShard = 256,
    scene: Scenes = None,
    min_overlap: MinOverlap = 0.25,
    max_overlap: MaxOverlap = 0.95,
    window: Window = 30,
    pairs_per_frame: PairsPerFrame = 2,
    clique: Clique = None,
    seed: Seed = 42,
    strict: Strict = False,
    jobs: Jobs = 1,
    on: On = None,
    intrinsics: Intrinsics = None,
    depth_intrinsics: DepthIntrinsics = None,
    colour_from_depth: ColourFromDepth = None,
    depth_step: DepthStep = None,
    recorder: RecorderName = None,
    time_gap: TimeGap = None,
    depths: Depths = None,
    metres_per_unit: MetresPerUnit = None,
    foreground: Foreground = False,
    visits: Visits = None,
    device: Device = None,
) -> None:
    """Turn a data set of a known layout into pair shards.

    Pairs are chosen by measured covisibility. Called again after it was interrupted, it goes on.
    What is left out is counted and named, and report.json beside the shards lists all of it.
    """
    asked = dict(locals())
    from dust_core.pairs.framing import Mode
    from dust_core.pairs.importing.choose import Selection
    from dust_core.pairs.importing.importer import Settings
    from dust_core.pairs.importing.run import layout_of, run, say

    given = _given(asked)
    settings = Settings(
        side=side,
        mode=Mode(mode),
        selection=Selection(min_overlap, max_overlap, window, pairs_per_frame, seed, clique),
        split=split,
        source=f"{layout}: {source.resolve().name}",
        licence=licence,
        scenes=tuple(scene or ()),
        picture=picture,
        depth_unit_m=depth_unit,
        strict=strict,
    )
    read = layout_of(layout, given)
    say(*run(read, source, folder, settings, given, pairs_per_shard, jobs, on), folder)


def _matrix(value: str) -> "Floats":
    from dust_core.pairs.importing.adapters.base import camera_matrix
    from dust_core.pairs.importing.adapters.files import parse_numbers, read_numbers

    path = Path(value)
    numbers = read_numbers(path, (4, 9), "K") if path.is_file() else parse_numbers(value, value)
    return camera_matrix(numbers, value)


def _pose(path: Path) -> "Floats":
    from dust_core.pairs.importing.adapters.base import rigid
    from dust_core.pairs.importing.adapters.files import read_numbers

    return rigid(read_numbers(path, (16,), "a pose").reshape(4, 4), str(path))


# The options of single layouts, by the name of the layouts' field, and what their text becomes.
_LAYOUT_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "intrinsics": _matrix,
    "depth_intrinsics": _matrix,
    "colour_from_depth": _pose,
    "depth_step": float,
    "recorder": str,
    "time_gap": float,
    "depths": str,
    "metres_per_unit": float,
    "foreground": bool,
    "visits": Path,
    "device": str,
}


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    """The options of layouts that were given, by name."""
    return {
        name: become(asked[name])
        for name, become in _LAYOUT_OPTIONS.items()
        if asked[name] is not None and asked[name] is not False
    }
