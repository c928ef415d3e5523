"""Archives of torch, read within bounds: what a file claims is compared with the bytes it has
before anything is built from it."""

import argparse
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dust_core.bounded import open_regular, zip_directory_bytes
from dust_core.errors import DustError, first_line
from dust_core.network.checkpoint.pickled import PICKLE_BYTES_A_TENSOR, fault_of_pickle
from dust_core.network.checkpoint.seal import SEAL, fault_of_archive, fault_of_content
from dust_core.network.kinds import MOST_DIRECTORY_BYTES

PICKLE_BYTES = 65_536
"""What the pickle of a checkpoint may have, beside what the names of its tensors need."""

_PICKLE = "data.pkl"
# What a PyTorch before 1.6 writes: a number, its protocol, the system, the content, the storages.
_LEGACY_PICKLES = 5
_MOST_VALUES, _MOST_LEVELS = 200_000, 32
# Weights that several names share are stored once.
_MOST_SHARED = 8
_GLOBAL = re.compile(r"unsupported (?:global: )?GLOBAL ([\w.]+)", re.IGNORECASE)
_REASON = re.compile(r"WeightsUnpickler error:\s*(.+)")


class RunsCode(DustError):
    """An archive that is whole and asks to run code."""


def load_plain(path: Path, *, zipped: bool = True, pickle_bytes: int = PICKLE_BYTES) -> Any:
    """What torch.save wrote, if it is tensors, plain containers and published arguments alone.

    The content is proven by the digest in it, and where it has none by the archive's sums.

    Args:
        zipped: whether it is an archive, as PyTorch writes since 1.6.
        pickle_bytes: what everything but the tensors may have, beside 256 bytes for each tensor.

    Raises:
        RunsCode: it names code, and nothing in it is damaged.
        ValueError: it is damaged, or claims more than it has.
        OSError: it cannot be read.
    """
    fault = _fault_of_parts(path, pickle_bytes) if zipped else None
    if fault := fault or _fault_of_pickles(path, pickle_bytes, zipped=zipped):
        raise ValueError(fault)
    try:
        # The restricted unpickler: published checkpoints hold their arguments in this class.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types of storage that torch no longer has
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)  # noqa: TID251
    except Exception as error:  # torch raises half a dozen unrelated types
        raise _refusal(error, path, zipped=zipped) from error
    fault = _fault_of_values(content, path)
    if not fault and zipped:
        fault = _fault_of_storages(content, path)
    if not fault and isinstance(content, dict):
        fault = fault_of_content(content)
    if not fault and zipped and not (isinstance(content, dict) and SEAL in content):
        fault = fault_of_archive(path)
    if fault:
        raise ValueError(fault)
    return content


def _refusal(error: Exception, path: Path, *, zipped: bool) -> Exception:
    """Damage is no malice: an archive whose sums do not hold is not said to name code."""
    named = _GLOBAL.search(str(error))
    if named is None:
        reason = _REASON.search(str(error))
        return ValueError(reason[1] if reason else first_line(error))
    damage = fault_of_archive(path) if zipped else None
    if damage is not None:
        return ValueError(damage)
    # Only an archive has sums that tell damage from malice.
    what = "asks to run code" if zipped else "is damaged, or asks to run code"
    return RunsCode(
        f"the file {what}: {named[1][:80]}",
        where=str(path),
        fix="do not load it; get the checkpoint from its authors",
    )


def _fault_of_parts(path: Path, pickle_bytes: int) -> str | None:
    """What in the directory of an archive torch does not write; None if all is as it writes."""
    try:
        if zip_directory_bytes(path) > MOST_DIRECTORY_BYTES:
            return "the archive has more parts than a checkpoint"
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        return f"it is not a zip archive, as torch writes them: {error}"
    for part in parts:
        if part.compress_type != zipfile.ZIP_STORED or part.file_size != part.compress_size:
            return f"its part {part.filename[:80]} is compressed, and torch compresses none"
    names = Counter(part.filename for part in parts)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        return f"the archive has two parts {twice[:80]}"
    if sum(part.file_size for part in parts) > path.stat().st_size:
        return "the parts of the archive claim more bytes than it has"
    limit = pickle_bytes + PICKLE_BYTES_A_TENSOR * len(parts)
    pickles = (part.file_size for part in parts if part.filename.endswith(_PICKLE))
    size = max(pickles, default=0)
    if size > limit:
        return f"its pickle has {size:,} bytes, more than the {limit:,} that its tensors explain"
    return None


def _fault_of_pickles(path: Path, pickle_bytes: int, *, zipped: bool) -> str | None:
    """What in the pickles of an archive no checkpoint needs, as torch itself finds them."""
    if not zipped:
        with open_regular(path) as stream:
            faults = (fault_of_pickle(stream, pickle_bytes) for _ in range(_LEGACY_PICKLES))
            return next(filter(None, faults), None)
    try:
        record: bytes = torch._C.PyTorchFileReader(str(path)).get_record(_PICKLE)
    except RuntimeError:  # torch.load says the same, and the sums of the archive more
        return None
    return fault_of_pickle(BytesIO(record), pickle_bytes)


def _fault_of_values(content: Any, path: Path) -> str | None:
    """What in the content no checkpoint holds: odd tensors, tensors without bytes of their own,
    values in one another."""
    count = claimed = 0
    for name, value, level in _values(content):
        count += 1
        if count > _MOST_VALUES or level > _MOST_LEVELS:
            return "its values are too many, or too deep in one another"
        if not isinstance(value, Tensor):
            continue
        if value.layout is not torch.strided or value.is_quantized or value.device.type != "cpu":
            layout = "quantized" if value.is_quantized else str(value.layout).replace("torch.", "")
            return f"{name} holds a tensor ({layout}, on {value.device}), not plain numbers"
        size = value.numel() * value.element_size()
        if size > value.untyped_storage().nbytes():
            return f"{name} holds a tensor {tuple(value.shape)} without so many numbers"
        claimed += size
    if claimed > _MOST_SHARED * path.stat().st_size:
        return f"its tensors claim {claimed:,} bytes, and the file has {path.stat().st_size:,}"
    return None


def _fault_of_storages(content: Any, path: Path) -> str | None:
    """Torch maps as many bytes as the pickle claims, whatever the part of the archive has."""
    held: dict[int, int] = {}
    for _, value, _ in _values(content):
        if isinstance(value, Tensor) and value.untyped_storage().nbytes():
            storage = value.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
    with zipfile.ZipFile(path) as archive:
        parts = Counter(part.file_size for part in archive.infolist())
    if Counter(held.values()) <= parts:
        return None
    return "a part of the archive has another length than the tensor in it"


def _values(content: Any) -> Iterator[tuple[str, Any, int]]:
    """Every value within a value, by the last name on the way, with how deep it is; without an end
    where one holds itself."""
    waiting = [("it", content, 0)]
    while waiting:
        name, value, level = waiting.pop()
        yield name, value, level
        if isinstance(value, argparse.Namespace):
            value = vars(value)
        if isinstance(value, Mapping):
            waiting += ((name, key, level + 1) for key in value)
            waiting += ((_name(key), part, level + 1) for key, part in value.items())
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += ((name, part, level + 1) for part in value)


def _name(key: Any) -> str:
    return key[:80] if isinstance(key, str) else type(key).__name__
