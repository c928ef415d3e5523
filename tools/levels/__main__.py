"""`python -m levels`: render training pairs from the levels of two free games.

python -m levels fetch
python -m levels sheet levels.png --split train
python -m levels render OUT --split train --pairs 40000 --size 224
python -m levels clique OUT --level nexuiz/desertfactory --level openarena/oa_dm3

On a machine with the games' data, and then on a machine with a GPU:

python -m levels sample poses.npz --split train --pairs 64000
python -m levels pack PARTS --split train
python -m levels draw OUT --poses poses.npz --parts PARTS --size 256 --jobs 14
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from dust_core.cli import print_error
from dust_core.errors import DustError
from levels.assets import CACHE_VARIABLE, GAMES, default_cache
from levels.assets import fetch as fetch_game
from levels.samples import Picture, Storage
from levels.splits import Split, read_splits

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)

Cache = Annotated[
    Path | None,
    typer.Option(help=f"Where the games' data lies.  [default: ${CACHE_VARIABLE} or ~/.cache]"),
]
Out = Annotated[Path, typer.Argument(help="The folder of shards to write.")]
Level = Annotated[list[str] | None, typer.Option(help="Only this level; may be repeated.")]
Seed = Annotated[int, typer.Option(help="Another seed draws other views.")]
Size = Annotated[int, typer.Option(min=32, max=2048, help="The side of the pictures, pixels.")]
Format = Annotated[Picture, typer.Option(help="How colour is stored.")]
Quality = Annotated[int, typer.Option(min=1, max=95, help="Of JPEGs.")]
Unit = Annotated[float, typer.Option(min=1e-4, max=0.1, help="The step of stored depth, metres.")]
Effort = Annotated[int, typer.Option(min=0, max=9, help="Effort to make PNGs smaller.")]


@app.command()
def fetch(cache: Cache = None) -> None:
    """Download the games' data (Debian packages, 1.1 GB) and unpack it; nothing is installed."""
    for game in GAMES.values():
        typer.echo(f"{game.name}: {', '.join(game.packages)}")
        fetch_game(game, cache or default_cache())


@app.command()
def render(
    out: Out,
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs.")],
    split: Annotated[Split, typer.Option(help="Whose levels.")] = "train",
    level: Level = None,
    size: Size = 512,
    seed: Seed = 0,
    picture: Format = "jpg",
    jpeg_quality: Quality = 95,
    depth_unit: Unit = 0.001,
    png_effort: Effort = 3,
    shard: Annotated[int, typer.Option(min=1, help="Pairs a shard.")] = 1000,
    jobs: Annotated[int, typer.Option(min=1, help="How many levels are drawn at once.")] = 1,
    cache: Cache = None,
) -> None:
    """Render pairs into shards; the same command resumes an interrupted production."""
    from levels.library import Library
    from levels.produce import Order, produce

    data = cache or default_cache()
    levels = _levels(Library(data).levels(), split, level)
    order = Order(
        levels=tuple(levels),
        split=split,
        pairs=pairs,
        size=size,
        seed=seed,
        storage=_storage(picture, jpeg_quality, depth_unit, png_effort),
    )
    produce(order, out, data, shard=shard, jobs=jobs, say=typer.echo)


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="The file of poses to write (.npz).")],
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs.")],
    split: Annotated[Split, typer.Option(help="Whose levels.")] = "train",
    level: Level = None,
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(min=1, help="How many levels are sampled at once.")] = 1,
    cache: Cache = None,
) -> None:
    """Sample the cameras of pairs, to be drawn on another machine; again, it resumes."""
    from levels.apart import PoseOrder
    from levels.library import Library
    from levels.poses import sample as sample_poses

    data = cache or default_cache()
    levels = tuple(_levels(Library(data).levels(), split, level))
    order = PoseOrder(levels=levels, split=split, pairs=pairs, seed=seed)
    sample_poses(order, out, data, jobs=jobs, say=typer.echo)


@app.command()
def pack(
    out: Annotated[Path, typer.Argument(help="The folder of packed levels to write.")],
    split: Annotated[Split, typer.Option(help="Whose levels.")] = "train",
    level: Level = None,
    part_mb: Annotated[float, typer.Option(min=0.01, help="The largest file, megabytes.")] = 55,
    texture: Annotated[int, typer.Option(min=8, help="The largest side of a picture.")] = 128,
    cache: Cache = None,
) -> None:
    """Pack levels into a few files, which `draw` needs on a machine without the games' data."""
    from levels.library import Library
    from levels.packing import pack as pack_levels

    library = Library(cache or default_cache())
    names = _levels(library.levels(), split, level)
    size = int(part_mb * 1e6)
    pack_levels(library, names, out, part_bytes=size, texture=texture, say=typer.echo)


@app.command()
def draw(
    out: Annotated[Path, typer.Argument(help="The folder of arrays to write.")],
    poses: Annotated[Path, typer.Option(help="The file of poses that `sample` wrote.")],
    parts: Annotated[Path, typer.Option(help="The folder of levels that `pack` wrote.")],
    size: Size = 256,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="How many pairs.  [default: all]")
    ] = None,
    skip: Annotated[int, typer.Option(min=0, help="Pairs of the file to leave out first.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="How many levels are drawn at once.")] = 1,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULER",
            help="Draw on workers of dask that share the files: local:3 or tcp://HOST:PORT.",
        ),
    ] = None,
) -> None:
    """Draw sampled pairs from packed levels into plain arrays, fast on a GPU."""
    from levels.draw import DrawOrder
    from levels.draw import draw as draw_set

    order = DrawOrder(poses=poses, parts=parts, size=size, skip=skip, pairs=pairs)
    draw_set(order, out, jobs=jobs, say=typer.echo, on=on)


@app.command()
def clique(
    out: Out,
    level: Annotated[list[str], typer.Option(help="A level to draw a clique of; may be repeated.")],
    split: Annotated[Split, typer.Option(help="Whose levels.")] = "evaluation",
    views: Annotated[int, typer.Option(min=2, max=12, help="Views a clique.")] = 5,
    size: Size = 512,
    seed: Seed = 0,
    picture: Format = "png",
    jpeg_quality: Quality = 95,
    depth_unit: Unit = 0.001,
    png_effort: Effort = 9,
    cache: Cache = None,
) -> None:
    """Render one clique of views of each level, every two overlapping, and all their pairs."""
    from dust_core.pairs.shards.tars import write_shards
    from levels.cliques import Cliques, draw_cliques
    from levels.library import Library
    from levels.produce import refuse_to_overwrite
    from levels.sampler import Limits
    from levels.samples import LICENCE

    data = cache or default_cache()
    order = Cliques(
        levels=tuple(_levels(Library(data).levels(), split, level)),
        split=split,
        views=views,
        size=size,
        seed=seed,
        storage=_storage(picture, jpeg_quality, depth_unit, png_effort),
        limits=Limits(least=0.25, most=0.85),
    )
    refuse_to_overwrite(out)
    samples = draw_cliques(order, data)
    write_shards(samples, out, split=split, licence=LICENCE, pairs_per_shard=1000)


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="The PNG to write.")],
    split: Annotated[Split, typer.Option(help="Whose levels.")] = "train",
    level: Level = None,
    views: Annotated[int, typer.Option(min=1, max=16, help="Views a level.")] = 8,
    size: Size = 160,
    seed: Seed = 0,
    cache: Cache = None,
) -> None:
    """Draw a contact sheet of levels, to decide which to render."""
    from levels.library import Library
    from levels.sheet import write_sheet

    library = Library(cache or default_cache())
    names = _levels(library.levels(), split, level)
    write_sheet(library, names, out, views=views, size=size, seed=seed)


def main() -> None:
    """Run the command line; a user's mistake ends in a message and exit code 2."""
    try:
        app(prog_name="python -m levels")
    except DustError as error:
        print_error(error)
        sys.exit(error.exit_code)


def _storage(picture: Picture, jpeg_quality: int, depth_unit: float, png_effort: int) -> Storage:
    return Storage(
        picture=picture,
        jpeg_quality=jpeg_quality,
        depth_unit_m=depth_unit,
        png_effort=png_effort,
    )


def _levels(known: list[str], split: Split, asked: list[str] | None) -> list[str]:
    """The requested levels of `split`, all of them by default.

    Raises:
        DustError: a requested level does not exist or belongs to another side.
    """
    splits = read_splits()
    for level in asked or ():
        if level not in known:
            raise DustError(
                f"there is no level '{level}'",
                fix="`python -m levels sheet` shows the levels",
            )
        if splits.side(level) != split:
            raise DustError(
                f"'{level}' belongs to {splits.side(level)}, not to {split}",
                where="splits.toml",
                fix=f"render it with --split {splits.side(level)}",
            )
    return list(asked) if asked else splits.choose(known, split)


if __name__ == "__main__":
    main()
