"""The manifest of a folder of pair shards."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from dust_core.bounded import fault_of_fields, read_json_bounded, tuples_of
from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_core.tracked import ANEW, remedy

MANIFEST = "manifest.json"
FINISHED = ".finished"
"""The folder of new shards while they take the place of an earlier set."""

_FORMAT = "dust/pairs/v1"
_MOST_BYTES, _MOST_SHARDS = 16_000_000, 20_000
_STRICT = ConfigDict(strict=True, extra="forbid")

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Side = Annotated[int, Field(ge=1, le=8192)]


@dataclass(frozen=True, config=_STRICT)
class Shard:
    """One tar of a set: its name, its pairs, its bytes."""

    name: Annotated[str, Field(pattern=rf"^(\{FINISHED}/)?pairs-[0-9]{{6,9}}\.tar$")]
    pairs: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @property
    def index(self) -> str:
        """The name of the index beside the tar."""
        return str(Path(self.name).with_suffix(".idx"))


@dataclass(frozen=True, config=_STRICT)
class Manifest:
    """What a set is: it is frozen by this file's SHA-256.

    Attributes:
        split: what the set is for.
        licence: the licence of its data.
        pairs: how many pairs.
        scenes: their scenes, sorted.
        height, width: of every image, pixels.
        picture: `jpg` or `png`.
        shards: the tars, in order.
    """

    split: str
    licence: str
    pairs: Count
    scenes: tuple[str, ...]
    height: Side
    width: Side
    picture: Literal["jpg", "png"]
    shards: Annotated[tuple[Shard, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _name_each_shard_once(self) -> Self:
        if len({shard.name for shard in self.shards}) < len(self.shards):
            raise ValueError("it names a shard twice")
        return self


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder of shards.

    Raises:
        DustError: it is absent or no manifest.
    """
    path = folder / MANIFEST
    try:
        content = read_json_bounded(path, _MOST_BYTES)
        if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
            raise ValueError(f"it is not of the format {_FORMAT}")
        if not isinstance(content.get("shards"), list):
            raise ValueError("it lists no shards")
        if len(content["shards"]) > _MOST_SHARDS:
            raise ValueError(f"it names more than {_MOST_SHARDS:,} shards")
        shards = tuple(Shard(**shard) for shard in content.pop("shards"))
        return Manifest(**tuples_of(content), shards=shards)
    except FileNotFoundError as error:
        raise DustError(
            "there is no manifest",
            where=str(path),
            fix=remedy(path, "name a folder of pair shards"),
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = fault_of_fields(error) if isinstance(error, ValidationError) else error
        raise DustError(
            f"not a manifest of pair shards: {reason}",
            where=str(path),
            fix=remedy(path, ANEW),
        ) from error


def moved(manifest: Manifest, prefix: str) -> Manifest:
    """The same set, its tars in another folder."""
    shards = (replace(shard, name=f"{prefix}{Path(shard.name).name}") for shard in manifest.shards)
    return replace(manifest, shards=tuple(shards))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder, whole or not at all."""
    content = {"format": _FORMAT, **asdict(manifest)}
    atomic_write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
