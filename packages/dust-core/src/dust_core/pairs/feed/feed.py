"""The feed: batches of pairs, decoded and augmented by NVIDIA DALI."""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dust_core.errors import DustError
from dust_core.pairs.feed.order import Adjustment, Augmentation, draw_adjustments, indices
from dust_core.pairs.feed.prepare import PreparedBatch
from dust_core.pairs.shards.sample import Members, decode, require_size
from dust_core.pairs.shards.store import DamagedShard, SampleStore
from dust_core.tracked import ANEW, remedy

if TYPE_CHECKING:
    from nvidia.dali import Pipeline

_log = logging.getLogger("dust.feed")


class PairBatch(NamedTuple):
    """B pairs.

    Attributes:
        image1, image2: (B, 3, side, side) float32 RGB in [-1, 1].
        depth1, depth2: (B, side, side) float32, metres; 0 is unknown.
        intrinsics1, intrinsics2: (B, 3, 3) float32, pixels of these images.
        view1_from_view2: (B, 4, 4) float32, takes points of camera 2 to camera 1, metres.
    """

    image1: Tensor
    image2: Tensor
    depth1: Tensor
    depth2: Tensor
    intrinsics1: Tensor
    intrinsics2: Tensor
    view1_from_view2: Tensor


@dataclass(frozen=True, kw_only=True)
class FeedOptions:
    """What the feed gives, and how fast.

    Attributes:
        batch: pairs of a batch of this rank.
        side: side of the images, pixels; views are scaled to it.
        shuffle: whether each pass over the set has its own order.
        augmentation: its bounds; None leaves every view as it is, as evaluation must.
        last_batch: `wrap` fills a batch from the next pass and never ends; `partial` ends after one
            pass with a batch that may be smaller.
        copy: whether a batch outlives the next one; without, its tensors are written over then.
        tolerate_damage: skip, log and count damaged samples instead of stopping. A shard that is
            not that of the manifest stops the feed all the same.
        seed: of order and augmentation.
        rank, world: this process's share.
        threads: decoding threads.
        device_id: the GPU that decodes; None decodes on the CPU.
    """

    batch: int
    side: int
    shuffle: bool = True
    augmentation: Augmentation | None = None
    last_batch: str = "wrap"
    copy: bool = True
    tolerate_damage: bool = False
    seed: int = 42
    rank: int = 0
    world: int = 1
    threads: int = 1
    device_id: int | None = None


class PairFeed:
    """An iterator of batches whose position can be saved and restored.

    Order and augmentation follow from the seed and the position alone, so a restored feed goes on
    exactly where the saved one was, whatever was decoded ahead.

    Attributes:
        position: batches given so far.
        damaged: messages of the samples that were skipped in these batches, by their number in the
            set; each is logged once. The next whole sample took the place of each.
    """

    def __init__(self, folder: Path, options: FeedOptions) -> None:
        self.store = SampleStore(folder)
        self.options = options
        self.position = 0
        self.damaged: dict[int, str] = {}
        self._known = self.damaged.copy()  # with those of batches that are prepared ahead
        self._ahead: deque[PreparedBatch] = deque()
        self._next = 0
        self._pipeline: Pipeline | None = None
        stored = (self.store.manifest.height, self.store.manifest.width)
        augment = options.augmentation is not None
        fits = stored == (options.side, options.side)
        self._stages = {"augment": augment, "resize": augment or not fits}

    def __iter__(self) -> Iterator[PairBatch]:
        return self

    def __next__(self) -> PairBatch:
        if self._places(self.position) == []:
            self._stop()
            raise StopIteration
        while True:
            try:
                batch = self._run()
                break
            except DamagedShard:
                self._stop()
                raise
            except (RuntimeError, DustError) as error:
                self._stop()
                self._find_damage(error)
        self._note_skipped()
        self.position += 1
        return batch

    @property
    def skipped(self) -> int:
        """How many damaged samples this rank has skipped; it follows from the position alone."""
        return len(self.damaged)

    def state_dict(self) -> dict[str, Any]:
        """The position, and the damaged samples on the way to it."""
        return {"position": self.position, "damaged": dict(self.damaged)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved position."""
        self._stop()
        self.position = state["position"]
        self.damaged = {int(number): why for number, why in state["damaged"].items()}
        self._known = self.damaged.copy()

    def close(self) -> None:
        """Let the pipeline and the shards go."""
        self._stop()
        self.store.close()

    def _places(self, position: int) -> list[int]:
        """Places in the stream of the samples of a batch; none after a single pass."""
        o = self.options
        first = position * o.batch * o.world
        places = range(first + o.rank, first + o.batch * o.world, o.world)
        if o.last_batch == "wrap":
            return list(places)
        return [place for place in places if place < len(self.store)]

    def _drawn(self, position: int) -> list[tuple[int, int]]:
        """Place and number of each sample of a batch, damaged or not."""
        o = self.options
        numbers = indices(
            position, o.batch, len(self.store),
            seed=o.seed, rank=o.rank, world=o.world, shuffle=o.shuffle,
        )  # fmt: skip
        return list(zip(self._places(position), numbers, strict=False))

    def _prepare(self, position: int) -> PreparedBatch:
        prepared = PreparedBatch(self.options.side)
        for place, number in self._drawn(position):
            members, where = self._read(self._undamaged(number))
            prepared.add(members, where, self._adjustments(place))
        return prepared

    def _read(self, number: int) -> tuple[Members, str]:
        """A sample and its place; DALI would take a picture of another size or kind in silence."""
        members, where = self.store.read(number), self.store.where(number)
        require_size(members, (self.store.manifest.height, self.store.manifest.width), where)
        return members, where

    def _adjustments(self, place: int) -> tuple[Adjustment, Adjustment]:
        manifest, bounds = self.store.manifest, self.options.augmentation
        size = (manifest.height, manifest.width)
        if bounds is not None:
            return draw_adjustments(bounds, size, seed=self.options.seed, place=place)
        whole = Adjustment((0.0, 0.0), (float(size[0]), float(size[1])))
        return whole, whole

    def _source(self) -> tuple[list[Any], ...]:
        """What DALI asks for, ahead of the consumer."""
        from dust_core.pairs.feed.dali import columns

        if not self._places(self._next):
            raise StopIteration
        prepared = self._prepare(self._next)
        self._next += 1
        self._ahead.append(prepared)
        names = columns(**self._stages)
        return tuple(prepared.columns[name] for name in names)

    def _run(self) -> PairBatch:
        from dust_core.pairs.feed.dali import build_pipeline, to_torch

        if self._pipeline is None:
            self._next = self.position
            self._ahead.clear()
            o = self.options
            self._pipeline = build_pipeline(
                self._source,
                batch=o.batch,
                side=o.side,
                threads=o.threads,
                device_id=o.device_id,
                **self._stages,
            )
        image1, image2, depth1, depth2 = (
            to_torch(out, copy=self.options.copy) for out in self._pipeline.run()
        )
        prepared = self._ahead.popleft()
        units = torch.tensor(prepared.units, device=depth1.device)[:, :, None, None]
        cameras = [
            torch.from_numpy(np.stack(column).astype(np.float32)).to(depth1.device)
            for column in zip(*prepared.cameras, strict=True)
        ]
        return PairBatch(
            image1, image2, depth1.mul_(units[:, 0]), depth2.mul_(units[:, 1]), *cameras
        )

    def _stop(self) -> None:
        self._pipeline = None
        self._ahead.clear()

    def _undamaged(self, number: int) -> int:
        """The sample itself, or the next one that is whole in its place."""
        for offset in range(len(self.store)):
            candidate = (number + offset) % len(self.store)
            if candidate not in self._known:
                return candidate
        raise DustError(
            "every sample is damaged",
            where=str(self.store.folder),
            fix=remedy(self.store.folder, ANEW),
        )

    def _find_damage(self, error: Exception) -> None:
        """Learn what the pipeline stumbled over in the batches it was given, or raise.

        Raises:
            DustError: damage is not tolerated; it names the first damaged sample.
            Exception: `error` itself, if every sample is whole.
        """
        damaged = {}
        for position in range(self.position, self._next + 1):
            for _, drawn in self._drawn(position):
                number = self._undamaged(drawn)
                try:
                    decode(*self._read(number))
                except DamagedShard:
                    raise
                except DustError as fault:
                    if not self.options.tolerate_damage:
                        raise
                    damaged[number] = f"{fault.where}: {fault.what}"
        if not damaged:
            raise error
        self._known |= damaged

    def _note_skipped(self) -> None:
        """Log and count the damaged samples of the batch at hand, each at its first turn."""
        for _, number in self._drawn(self.position) if self._known else ():
            if number in self._known and number not in self.damaged:
                self.damaged[number] = self._known[number]
                _log.warning("skipped %s", self.damaged[number])
