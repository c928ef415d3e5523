"""The feed: batches of pairs, decoded and augmented by NVIDIA DALI."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dust_core.errors import DustError
from dust_core.pairs.feed.order import (
    Augmentation,
    View,
    cut_intrinsics,
    draw_views,
    indices,
    mirror_pose,
)
from dust_core.pairs.shards.sample import (
    CAMERAS,
    DEPTHS,
    Members,
    decode,
    picture_members,
    read_cameras,
    require_size,
)
from dust_core.pairs.shards.store import SampleStore

if TYPE_CHECKING:
    from nvidia.dali import Pipeline


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
        tolerate_damage: skip and count damaged samples instead of stopping.
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


@dataclass
class _Prepared:
    """One batch on its way through the pipeline: what DALI reads, and the cameras beside it."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    units: list[tuple[float, float]] = field(default_factory=list)
    cameras: list[tuple[np.ndarray[Any, Any], ...]] = field(default_factory=list)


class PairFeed:
    """An iterator of batches whose position can be saved and restored.

    Order and augmentation follow from the seed and the position alone, so a restored feed goes on
    exactly where the saved one stood, whatever was decoded ahead.

    Attributes:
        position: batches given so far.
        damaged: messages of the samples that were skipped, by their number.
    """

    def __init__(self, folder: Path, options: FeedOptions) -> None:
        self.store = SampleStore(folder)
        self.options = options
        self.position = 0
        self.damaged: dict[int, str] = {}
        self._ahead: deque[_Prepared] = deque()
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
            except (RuntimeError, DustError) as error:
                self._stop()
                self._skip_damaged(error)
        self.position += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The position, and what was found damaged on the way."""
        return {"position": self.position, "damaged": dict(self.damaged)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved position."""
        self._stop()
        self.position = state["position"]
        self.damaged = {int(number): why for number, why in state["damaged"].items()}

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

    def _prepare(self, position: int) -> _Prepared:
        o = self.options
        prepared = _Prepared()
        places = self._places(position)
        numbers = indices(
            position, o.batch, len(self.store),
            seed=o.seed, rank=o.rank, world=o.world, shuffle=o.shuffle,
        )  # fmt: skip
        for place, drawn in zip(places, numbers, strict=False):
            members, where = self._read(self._undamaged(drawn))
            self._add(prepared, members, where, place)
        return prepared

    def _read(self, number: int) -> tuple[Members, str]:
        """A sample and its place; DALI would take a picture of another size or kind in silence."""
        members, where = self.store.read(number), self.store.where(number)
        require_size(members, (self.store.manifest.height, self.store.manifest.width), where)
        return members, where

    def _add(self, prepared: _Prepared, members: Members, where: str, place: int) -> None:
        o, manifest = self.options, self.store.manifest
        views = (View((0.0, 0.0), (float(manifest.height), float(manifest.width))),) * 2
        if o.augmentation is not None:
            size = (manifest.height, manifest.width)
            views = draw_views(o.augmentation, size, seed=o.seed, place=place)
        numbers = read_cameras(members[CAMERAS], where)
        pose = numbers[18:34].reshape(4, 4)
        k1, k2 = (numbers[start : start + 9].reshape(3, 3) for start in (0, 9))
        prepared.units.append((float(numbers[34]), float(numbers[35])))
        prepared.cameras.append(
            (
                cut_intrinsics(k1, views[0], o.side),
                cut_intrinsics(k2, views[1], o.side),
                mirror_pose(pose) if views[0].mirror else pose,
            )
        )
        for index, (picture, depth, view) in enumerate(
            zip(picture_members(members), DEPTHS, views, strict=True)
        ):
            row = {
                "picture": np.frombuffer(members[picture], np.uint8),
                "depth": np.frombuffer(members[depth], np.uint8),
                "start": np.array(view.start, np.float32),
                "end": np.array(view.end, np.float32),
                "mirror": np.int32(view.mirror),
                "brightness": np.float32(view.brightness),
                "contrast": np.float32(view.contrast),
                "saturation": np.float32(view.saturation),
            }
            for name, value in row.items():
                prepared.columns.setdefault(f"{name}{index}", []).append(value)

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
            if candidate not in self.damaged:
                return candidate
        raise DustError("every sample is damaged", where=str(self.store.folder), fix="`dvc pull`")

    def _skip_damaged(self, error: Exception) -> None:
        """Find what the pipeline stumbled over in the batches it was given, or raise.

        Raises:
            DustError: damage is not tolerated; it names the first damaged sample.
            Exception: `error` itself, if every sample is whole.
        """
        found = {}
        o = self.options
        for position in range(self.position, self._next + 1):
            numbers = indices(
                position, o.batch, len(self.store),
                seed=o.seed, rank=o.rank, world=o.world, shuffle=o.shuffle,
            )  # fmt: skip
            for _, drawn in zip(self._places(position), numbers, strict=False):
                number = self._undamaged(drawn)
                try:
                    decode(*self._read(number))
                except DustError as fault:
                    if not o.tolerate_damage:
                        raise
                    found[number] = str(fault)
        if not found:
            raise error
        self.damaged |= found
