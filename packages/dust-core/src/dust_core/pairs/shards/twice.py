"""Samples that a set holds twice."""

import hashlib
from collections.abc import Iterator
from typing import Any

from dust_core.pairs.shards.sample import ABOUT, Members


class Twice:
    """What a set has held so far: a digest of each sample, and its scene and frames."""

    def __init__(self) -> None:
        self._bytes: dict[bytes, str] = {}
        self._frames: dict[tuple[str, ...], str] = {}

    def same_bytes(self, members: Members, where: str) -> Iterator[str]:
        """The fault of a sample whose pictures, depths and cameras an earlier one has.

        What the sample says of itself does not count: a renamed scene is the same scene.
        """
        digest = hashlib.sha256()
        for name in sorted(members.keys() - {ABOUT}):
            digest.update(f"{name} {len(members[name])} ".encode() + members[name])
        earlier = self._bytes.setdefault(digest.digest(), where)
        if earlier != where:
            yield f"{where}: the same pair as {earlier}"

    def same_frames(self, about: dict[str, Any], where: str) -> Iterator[str]:
        """The warning of a sample that names the scene and the frames of an earlier one."""
        frames = about.get("images")
        if not isinstance(frames, list) or not frames:
            return
        key = (str(about["scene"]), *map(str, frames))
        earlier = self._frames.setdefault(key, where)
        if earlier != where:
            yield (
                f"{where}: it names the scene and the frames of {earlier}: "
                "two recordings of one name, or one that was imported twice"
            )
