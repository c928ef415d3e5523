"""The speed of the feed, compared with a plain torch DataLoader on the same shards and threads.

    python benchmarks/feed.py data/calibration

Both give the same tensors, without augmentation. They run in turn, several times, and the result is
the ratio of their medians. Then the feed supplies a training of the `small` network, and the script
prints the share of time that the training waits for a batch.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from dust_core.network.model import Dust3r
from dust_core.network.model.named import CONFIGS
from dust_core.pairs.feed.feed import FeedOptions, PairFeed
from dust_core.pairs.shards.sample import decode
from dust_core.pairs.shards.store import SampleStore


class PlainDataset(Dataset[tuple[torch.Tensor, ...]]):
    """A plain data set of Pillow, numpy and torch."""

    def __init__(self, folder: Path) -> None:
        self.store = SampleStore(folder)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        sample = decode(self.store.read(number), self.store.where(number))
        images = [torch.from_numpy(i.copy()).permute(2, 0, 1) / 127.5 - 1 for i in sample.images]
        depths = [torch.from_numpy(d) for d in sample.depths]
        cameras = [torch.from_numpy(np.ascontiguousarray(k)) for k in sample.intrinsics]
        return (*images, *depths, *cameras, torch.from_numpy(sample.view1_from_view2))


def rate(batches: Iterator[Any], batch: int, count: int) -> float:
    """Pairs a second over `count` batches, after two that fill the queues."""
    for _ in range(2):
        next(batches)
    start = time.perf_counter()
    for _ in range(count):
        next(batches)
    return batch * count / (time.perf_counter() - start)


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def compare(folder: Path, batch: int, threads: int, count: int, turns: int) -> None:
    side = SampleStore(folder).manifest.height
    torch.set_num_threads(1)

    def dali() -> Iterator[Any]:
        options = FeedOptions(batch=batch, side=side, threads=threads, copy=False)
        return iter(PairFeed(folder, options))

    def plain() -> Iterator[Any]:
        dataset = PlainDataset(folder)
        return endless(DataLoader(dataset, batch, shuffle=True, num_workers=threads))

    sources: dict[str, Callable[[], Iterator[Any]]] = {"DALI": dali, "DataLoader": plain}
    rates: dict[str, list[float]] = {name: [] for name in sources}
    for _ in range(turns):
        for name, make in sources.items():
            rates[name].append(rate(make(), batch, count))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:7.1f} pairs/s at {side}x{side} on {threads} threads")
    print(f"ratio      {medians['DALI'] / medians['DataLoader']:7.2f} times")


def waiting_share(folder: Path, batch: int, threads: int, steps: int) -> float:
    """The share of a training's time between the request for a batch and its arrival."""
    torch.set_num_threads(threads)
    network = Dust3r(CONFIGS["small"])
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-5)
    feed = PairFeed(folder, FeedOptions(batch=batch, side=512, threads=1, copy=False))
    waited, begun = 0.0, 0.0
    for step in range(steps + 1):
        if step == 1:
            waited, begun = 0.0, time.perf_counter()  # the first step builds the pipeline
        asked = time.perf_counter()
        pairs = next(feed)
        waited += time.perf_counter() - asked
        with torch.autocast("cpu", torch.bfloat16):
            prediction = network(pairs.image1, pairs.image2)
        loss = sum((part.mean() for part in prediction), torch.zeros(()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return waited / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder of pair shards at 512x512")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    given = parser.parse_args()
    compare(given.folder, given.batch, given.threads, given.batches, given.turns)
    share = waiting_share(given.folder, given.batch, given.threads, given.steps)
    print(f"waiting    {100 * share:7.2f} % of the time of a training of `small` at 512x512")


if __name__ == "__main__":
    main()
