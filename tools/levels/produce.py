"""Many pairs from many levels: drawn level by level, then mixed into shards.

Finished parts are kept, so that an interrupted production resumes. The same order makes the same
shards, byte for byte, on one machine.
"""

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.shards.manifest import MANIFEST
from dust_core.pairs.shards.sample import Members
from dust_core.pairs.shards.tars import write_shards
from levels.apart import PoseOrder, Progress, claim, work_apart
from levels.library import Library
from levels.parts import Part, is_whole, write_part
from levels.photo import exposure
from levels.render import Renderer
from levels.sampler import Limits, Sampler
from levels.samples import LICENCE, Storage, encode


@dataclass(frozen=True, kw_only=True)
class Order(PoseOrder):
    """What to produce: which pairs, and how they are drawn and stored.

    Attributes:
        size: the side of the pictures, pixels.
    """

    size: int
    storage: Storage


def produce(order: Order, out: Path, cache: Path, *, shard: int, jobs: int, say: Progress) -> None:
    """Draw `order` and write it as shards to `out`; called again, it resumes.

    Args:
        shard: pairs a shard.
        jobs: how many levels are drawn at once.
        say: called with a line for each finished level.

    Raises:
        DustError: `out` holds something else, or a level cannot be drawn.
    """
    parts = out / ".parts"
    if not parts.is_dir():
        refuse_to_overwrite(out)
    draw_parts(order, parts, cache, jobs=jobs, say=say)
    write_shards(
        mixed(order, parts), out, split=order.split, licence=LICENCE, pairs_per_shard=shard
    )
    shutil.rmtree(parts)


def refuse_to_overwrite(out: Path) -> None:
    """Check that no set is in `out`.

    Raises:
        DustError: there is one.
    """
    if (out / MANIFEST).exists() or any(out.glob("*.tar")):
        raise DustError(
            "the folder holds a finished set",
            where=str(out),
            fix="name another folder, or delete this one to render it anew",
        )


def draw_parts(order: Order, folder: Path, cache: Path, *, jobs: int, say: Progress) -> None:
    """Draw all pairs of `order` into parts in `folder`, one a level; finished parts are kept.

    Args:
        jobs: how many levels are drawn at once.
        say: called with a line for each finished level.

    Raises:
        DustError: `folder` holds the parts of another order, or a level cannot be drawn.
    """
    claim(folder, order)
    work = partial(draw_level, order, folder, cache)
    work_apart(order, work, lambda level: is_whole(part_path(folder, level)), jobs=jobs, say=say)


def draw_level(order: Order, folder: Path, cache: Path, level: str) -> None:
    """Draw the share of `level` into its part."""
    random = np.random.default_rng([order.seed, zlib.crc32(level.encode())])
    limits = Limits(least=order.least_overlap, most=order.most_overlap)

    def samples() -> Iterator[Members]:
        with Renderer(Library(cache).scene(level)) as renderer:
            pairs = Sampler(renderer, random).pairs(order.size, limits)
            for index, pair in enumerate(islice(pairs, order.share(level))):
                yield encode(
                    pair,
                    order.storage,
                    gain=exposure([pair.first, pair.second]),
                    scene=level,
                    names=[f"{level}/{order.seed}-{index:05d}-{view}" for view in (1, 2)],
                    split=order.split,
                )

    write_part(part_path(folder, level), samples())


def mixed(order: Order, folder: Path) -> Iterator[Members]:
    """All samples of the finished parts in `folder`, levels mixed, in an order set by the seed."""
    parts = [Part(part_path(folder, level)) for level in order.levels if order.share(level)]
    places = [(part, number) for part in parts for number in range(len(part))]
    for place in np.random.default_rng(order.seed).permutation(len(places)):
        part, number = places[place]
        yield part.read(number)


def part_path(folder: Path, level: str) -> Path:
    """The path of the part of `level`."""
    return folder / f"{level.replace('/', '-')}.part"
