"""Many pairs from many levels: drawn level by level, then mixed into shards.

Each level is drawn in a separate process, which returns all of its memory. Finished parts are kept,
so that an interrupted production resumes. The same order makes the same shards, byte for byte, on
one machine.
"""

import json
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_core.pairs.shards.sample import Members
from dust_core.pairs.shards.tars import MANIFEST, write_shards
from levels.library import Library
from levels.parts import Part, is_whole, write_part
from levels.photo import exposure
from levels.render import Renderer
from levels.sampler import Limits, Sampler
from levels.samples import LICENCE, Storage, encode
from levels.splits import Split

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to produce.

    Attributes:
        levels: the levels to draw from, in equal shares.
        pairs: how many pairs in all.
        size: the side of the pictures, pixels.
    """

    levels: tuple[str, ...]
    split: Split
    pairs: int
    size: int
    seed: int
    storage: Storage
    least_overlap: float = 0.2
    most_overlap: float = 0.95

    def share(self, level: str) -> int:
        """How many pairs `level` contributes."""
        each, rest = divmod(self.pairs, len(self.levels))
        return each + (self.levels.index(level) < rest)


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
    _claim(folder, order)
    waiting = [
        level
        for level in order.levels
        if order.share(level) and not is_whole(part_path(folder, level))
    ]
    done = len(order.levels) - len(waiting)
    started, drawn = time.monotonic(), 0
    with ThreadPoolExecutor(jobs) as watchers:
        running = {
            watchers.submit(_draw_apart, order, level, folder, cache): level for level in waiting
        }
        try:
            for finished in as_completed(running):
                finished.result()
                level = running[finished]
                done, drawn = done + 1, drawn + order.share(level)
                rate = drawn / (time.monotonic() - started)
                say(f"{done}/{len(order.levels)} {level}: {order.share(level)}, {rate:.1f} pairs/s")
        except BaseException:
            watchers.shutdown(wait=False, cancel_futures=True)
            raise


def _draw_apart(order: Order, level: str, folder: Path, cache: Path) -> None:
    """Draw a level in a separate process, and wait for it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(draw_level, order, level, folder, cache).result()


def draw_level(order: Order, level: str, folder: Path, cache: Path) -> None:
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


def _claim(folder: Path, order: Order) -> None:
    """Write the order into `folder`, or check that the folder has this order."""
    file, wanted = folder / "order.json", json.dumps(asdict(order), indent=1)
    if file.is_file() and file.read_text(encoding="utf-8") != wanted:
        raise DustError(
            "the folder holds unfinished parts of another order",
            where=str(file),
            fix="repeat the command that was interrupted, or delete the folder",
        )
    atomic_write_text(file, wanted)
