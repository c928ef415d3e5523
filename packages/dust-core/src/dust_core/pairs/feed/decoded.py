"""The feed from pixels in memory: nothing is decoded, the device cuts and colours."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dust_core.pairs.decoded import DecodedPairs
from dust_core.pairs.feed.adjust import adjusted_depth, adjusted_images
from dust_core.pairs.feed.feed import FeedOptions, PairBatch
from dust_core.pairs.feed.order import (
    Adjustment,
    cut_intrinsics,
    draw_adjustments,
    indices,
    mirror_pose,
)
from dust_core.pairs.shards.sample import CAMERAS, decode, read_cameras, require_size
from dust_core.pairs.shards.store import SampleStore


class _Gathered(NamedTuple):
    """A batch on its way to the device; arrays as in `DecodedPairs`, with units by view."""

    images: Tensor
    depth: Tensor
    cameras: tuple[Tensor, Tensor, Tensor]
    units: Tensor
    adjustments: list[tuple[Adjustment, Adjustment]]


class DecodedFeed:
    """An iterator of batches, as `PairFeed`, over pairs that are arrays.

    Order and augmentation are those of `PairFeed`. While a batch is computed with, the next one is
    gathered by a thread.

    Attributes:
        position: batches given so far.
        damaged: none; arrays are whole or not there.
    """

    def __init__(
        self, pairs: DecodedPairs, options: FeedOptions, device: torch.device | None = None
    ) -> None:
        self.pairs, self.options = pairs, options
        self.device = device or torch.device("cpu")
        self.position = 0
        self.damaged: dict[int, str] = {}
        self._thread = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[_Gathered]] | None = None

    def __iter__(self) -> Iterator[PairBatch]:
        return self

    def __next__(self) -> PairBatch:
        if not self._numbers(self.position):
            raise StopIteration
        gathered = self._gathered()
        self.position += 1
        self._look_ahead()
        return self._on_device(gathered)

    def state_dict(self) -> dict[str, Any]:
        """The position."""
        return {"position": self.position, "damaged": {}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved position."""
        self.position = state["position"]

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _look_ahead(self) -> None:
        if self._numbers(self.position):
            self._ahead = (self.position, self._thread.submit(self._gather, self.position))

    def _gathered(self) -> _Gathered:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == self.position:
            return ahead[1].result()
        return self._gather(self.position)

    def _numbers(self, position: int) -> list[int]:
        o, count = self.options, len(self.pairs)
        numbers = indices(
            position, o.batch, count, seed=o.seed, rank=o.rank, world=o.world, shuffle=o.shuffle
        )
        if o.last_batch == "wrap":
            return numbers
        first = position * o.batch * o.world + o.rank
        return numbers[: len(range(first, count, o.world))]

    def _gather(self, position: int) -> _Gathered:
        o, numbers = self.options, self._numbers(position)
        first = position * o.batch * o.world + o.rank
        places = range(first, first + len(numbers) * o.world, o.world)
        adjustments = [self._adjustments(place) for place in places]
        poses, intrinsics = self.pairs.poses[numbers], self.pairs.intrinsics[numbers]
        cameras = [
            (
                cut_intrinsics(k[0], first, o.side),
                cut_intrinsics(k[1], second, o.side),
                mirror_pose(pose) if first.mirror else pose,
            )
            for k, pose, (first, second) in zip(intrinsics, poses, adjustments, strict=True)
        ]
        k1, k2, moved = (
            torch.from_numpy(np.stack(column).astype(np.float32))
            for column in zip(*cameras, strict=True)
        )
        return _Gathered(
            self._pinned(self.pairs.images[numbers]),
            self._pinned(self.pairs.depth[numbers].view(np.int16)),
            (k1, k2, moved),
            torch.from_numpy(self.pairs.units[numbers])[..., None, None],
            adjustments,
        )

    def _adjustments(self, place: int) -> tuple[Adjustment, Adjustment]:
        size = self.pairs.depth.shape[-2:]
        if self.options.augmentation is not None:
            return draw_adjustments(
                self.options.augmentation, size, seed=self.options.seed, place=place
            )
        whole = Adjustment((0.0, 0.0), (float(size[0]), float(size[1])))
        return whole, whole

    def _pinned(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def _on_device(self, gathered: _Gathered) -> PairBatch:
        def there(tensor: Tensor) -> Tensor:
            return tensor.to(self.device, non_blocking=True)

        side, units = self.options.side, there(gathered.units)
        images, steps = there(gathered.images), there(gathered.depth)
        # torch has no arithmetic on uint16: the same bits as int16, and the sign taken back.
        depth = steps.float().add_(65_536.0 * (steps < 0)).mul_(units)
        views: list[Sequence[Adjustment]] = list(zip(*gathered.adjustments, strict=True))
        return PairBatch(
            *(adjusted_images(images[:, view], views[view], side) for view in (0, 1)),
            *(adjusted_depth(depth[:, view], views[view], side) for view in (0, 1)),
            *map(there, gathered.cameras),
        )


def decoded_shards(folder: Path) -> DecodedPairs:
    """The pairs of a folder of shards, decoded by Pillow into memory: for small sets, where DALI
    is not installed.

    Raises:
        DustError: a sample is damaged.
    """
    store = SampleStore(folder)
    try:
        samples = [_decoded(store, number) for number in range(len(store))]
    finally:
        store.close()
    return DecodedPairs(*(np.stack(column) for column in zip(*samples, strict=True)))


def _decoded(
    store: SampleStore, number: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Images, steps of depth, intrinsics, pose and units of a sample."""
    members, where = store.read(number), store.where(number)
    require_size(members, (store.manifest.height, store.manifest.width), where)
    sample = decode(members, where)
    units = read_cameras(members[CAMERAS], where)[34:]
    return (
        np.stack(sample.images),
        np.rint(np.stack(sample.depths) / units[:, None, None]).astype(np.uint16),
        np.stack(sample.intrinsics).astype(np.float32),
        sample.view1_from_view2.astype(np.float32),
        units,
    )
