"""Cliques of views as samples: the content of the fixed workload."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from dust_core.pairs.shards.sample import Members
from levels.library import Library
from levels.photo import exposure
from levels.render import Renderer
from levels.sampler import Limits, Pair, Sampler
from levels.samples import Storage, encode
from levels.splits import Split


@dataclass(frozen=True, kw_only=True)
class Cliques:
    """What to draw: one clique of each level, with every pair of its views once.

    The pairs of a clique are those of the scene graph swin-(views - 1).
    """

    levels: tuple[str, ...]
    split: Split
    views: int
    size: int
    seed: int
    storage: Storage
    limits: Limits


def draw_cliques(order: Cliques, cache: Path) -> Iterator[Members]:
    """The samples of all pairs, clique by clique.

    Raises:
        DustError: a level does not exist, or has no clique.
    """
    library = Library(cache)
    for level in order.levels:
        random = np.random.default_rng([order.seed, zlib.crc32(level.encode())])
        with Renderer(library.scene(level)) as renderer:
            sampler = Sampler(renderer, random)
            views = next(sampler.cliques(order.views, order.size, order.limits))
        gain = exposure(views)
        for first, second in combinations(range(order.views), 2):
            yield encode(
                Pair.of(views[first], views[second]),
                order.storage,
                gain=gain,
                scene=level,
                names=[f"{level}/{order.seed}-view{view}" for view in (first, second)],
                split=order.split,
            )
