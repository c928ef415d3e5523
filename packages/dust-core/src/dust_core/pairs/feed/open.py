"""The feed of a folder of pairs: decoded sets from memory, shards through DALI."""

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import torch

from dust_core.pairs.decoded import DecodedPairs, is_decoded, open_decoded, read_decoded_manifest
from dust_core.pairs.feed.decoded import DecodedFeed, decoded_shards
from dust_core.pairs.feed.feed import FeedOptions, PairBatch, PairFeed
from dust_core.pairs.shards.manifest import read_manifest


class Feed(Protocol):
    """An iterator of batches whose position can be saved.

    Attributes:
        damaged: messages of the samples that were skipped, by their number in the set.
    """

    damaged: dict[int, str]

    def __iter__(self) -> Iterator[PairBatch]: ...

    def __next__(self) -> PairBatch: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def open_pairs(folder: Path, options: FeedOptions, device: torch.device) -> Feed:
    """The feed of a folder.

    Shards are decoded by DALI as they are read. Where DALI is not installed they are decoded into
    memory by Pillow, once.

    Args:
        device: on which batches are wanted.

    Raises:
        DustError: the folder holds no set, or a damaged one.
    """
    if is_decoded(folder):
        return DecodedFeed(open_decoded(folder), options, device)
    if _has_dali():
        return PairFeed(folder, options)
    return DecodedFeed(_kept(folder), options, device)


def scenes_of(folder: Path) -> set[str]:
    """The scenes of the set in a folder, by its manifest.

    Raises:
        DustError: there is no manifest, or it is damaged.
    """
    if is_decoded(folder):
        return set(read_decoded_manifest(folder).scenes)
    return set(read_manifest(folder).scenes)


@lru_cache(maxsize=2)  # validation opens one small set after each epoch
def _kept(folder: Path) -> DecodedPairs:
    return decoded_shards(folder)


def _has_dali() -> bool:
    try:
        return find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:  # no package of NVIDIA's at all
        return False
