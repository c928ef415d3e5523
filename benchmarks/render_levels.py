"""The speed and memory of rendering pairs, and how well their two views agree.

    PYTHONPATH=tools python benchmarks/render_levels.py --size 224 --pairs 600 --jobs 2

Rates are those of the whole production: loading levels, rejected previews, encoding, shards.
docs/levels.md quotes the figures.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from dust_core.pairs.geometry import seen, warp
from dust_core.pairs.shards.sample import PairSample, decode
from dust_core.pairs.shards.tars import read_shard
from levels.assets import default_cache
from levels.library import Library
from levels.produce import Order, produce
from levels.samples import Storage
from levels.splits import read_splits


def main() -> None:
    """Render a set into a temporary folder, time it, and warp its pairs."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--size", type=int, default=224)
    words.add_argument("--pairs", type=int, default=600)
    words.add_argument("--levels", type=int, default=3, help="levels to draw from")
    words.add_argument("--jobs", type=int, default=1)
    asked = words.parse_args()

    cache = default_cache()
    levels = read_splits().choose(Library(cache).levels(), "train")[: asked.levels]
    order = Order(
        levels=tuple(levels),
        split="train",
        pairs=asked.pairs,
        size=asked.size,
        seed=0,
        storage=Storage(),
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        started = time.perf_counter()
        produce(order, out, cache, shard=1000, jobs=asked.jobs, say=print)
        seconds = time.perf_counter() - started
        report(order, seconds, out)


def report(order: Order, seconds: float, out: Path) -> None:
    """Print the figures of a finished set."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    size = sum(path.stat().st_size for path in out.glob("*.tar"))
    colours, depths = [], []
    for shard in sorted(out.glob("*.tar")):
        for key, members in read_shard(shard):
            colour, depth = disagreement(decode(members, key))
            colours.append(colour)
            depths.append(depth)
    processor_ms = (used.ru_utime + used.ru_stime) / order.pairs * 1e3
    print(f"{order.pairs} pairs at {order.size}: {order.pairs / seconds:.1f} pairs/s")
    print(f"processor time a pair: {processor_ms:.0f} ms")
    print(f"largest process: {used.ru_maxrss / 1024:.0f} MB")
    print(f"on disk: {size / order.pairs / 1e3:.0f} kB a pair")
    print(f"colour at true correspondences, median: {np.median(colours):.2f} of 255")
    print(f"depth at true correspondences, median: {100 * np.median(depths):.3f} %")


def disagreement(sample: PairSample) -> tuple[float, float]:
    """Median differences of colour (of 255) and depth (relative) where both see a point."""
    warped = warp(
        sample.depths[0],
        *sample.intrinsics,
        sample.view1_from_view2,
        sample.depths[1].shape,
        step=3,
    )
    both = seen(warped, sample.depths[1])
    column, row = warped.pixels_1[both].T
    column_2, row_2 = np.rint(warped.pixels_2[both]).astype(int).T
    colour = sample.images[0][row, column].astype(float) - sample.images[1][row_2, column_2]
    depth = sample.depths[1][row_2, column_2] / warped.depth_2[both] - 1
    return float(np.median(np.abs(colour).mean(axis=1))), float(np.median(np.abs(depth)))


if __name__ == "__main__":
    main()
