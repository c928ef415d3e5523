"""Reading a set in plain Python, in order: for evaluation, and as the oracle of the feed."""

from collections.abc import Iterator
from pathlib import Path

from dust_core.pairs.shards.manifest import read_manifest
from dust_core.pairs.shards.sample import PairSample, decode
from dust_core.pairs.shards.tars import read_shard, verify_shard


def read_samples(folder: Path, *, verify: bool = False) -> Iterator[PairSample]:
    """Every pair of a set, in order.

    Args:
        folder: a folder of shards.
        verify: prove the bytes of each shard before it is read, as evaluation does.

    Raises:
        DustError: a shard or a sample is damaged; the message names it.
    """
    for shard in read_manifest(folder).shards:
        if verify:
            verify_shard(folder, shard)
        for key, members in read_shard(folder / shard.name):
            yield decode(members, f"{folder / shard.name}:{key}")
