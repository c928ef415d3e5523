"""What a graph claims, compared with the bytes it has, before a library builds anything of it."""

import os
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from dust_core.bounded import open_regular
from dust_core.errors import DustError, first_line
from dust_core.tracked import remedy

_MOST_PARTS = 50_000  # nodes and weights; a network of 48 blocks has some 3000
_MOST_BYTES = (1 << 31) - 1  # what the format's own file may have
_LONGEST_METADATA = 10_000  # letters
_LONGEST_NAME = 200
_LOCATION, _OFFSET, _LENGTH = "location", "offset", "length"


class _LinkedError(ValueError):
    """Weights beside a graph that are a link."""


def sound_proto(path: Path, *, weights: bool = True) -> Any:
    """The ModelProto of a graph, its external weights not read, if all that it claims holds.

    Args:
        weights: whether the files beside the graph are compared as well.

    Raises:
        DustError: it is no regular file, no graph, not what ONNX allows, or holds weights outside
            its folder or beyond the bytes of their file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        with open_regular(path) as stream:
            if os.fstat(stream.fileno()).st_size > _MOST_BYTES:
                raise ValueError("it has more than 2 GB")
            model = onnx.load_model_from_string(stream.read())
        if len(model.graph.node) == 0:
            raise DecodeError("it has no node")
        _require_bounds(model)
        if weights:
            for tensor in _tensors(model.graph):
                _require_bytes(tensor, path.parent)
            onnx.checker.check_model(path)
    except FileNotFoundError as error:
        raise DustError(
            f"the graph cannot be read: {error.strerror}",
            where=str(path),
            fix=remedy(path, "check the path, or run the task that writes it"),
        ) from error
    except DecodeError as error:
        raise no_graph(path, first_line(error)) from error
    except _LinkedError as error:
        raise DustError(
            f"the graph cannot be read: {error}, which ONNX does not follow",
            where=str(path),
            fix="put the file itself there; if DVC made the link: `dvc config cache.type copy` and "
            f"`dvc checkout --relink {path}`",
        ) from error
    except Exception as error:  # protobuf's errors and onnx's share no base but Exception
        raise DustError(
            f"the graph cannot be read: {first_line(error)}",
            where=str(path),
            fix="it is truncated or no graph: copy or pull it again, or export it anew",
        ) from error
    return model


def no_graph(path: Path, reason: str) -> DustError:
    """The error for a file that is something else than a graph."""
    return DustError(
        f"this is no ONNX graph: {reason}",
        where=str(path),
        fix=remedy(path, "check the path, or run the task that writes it"),
    )


def external_values(tensor: Any) -> dict[str, str]:
    """Where the weights of a tensor are that are not in the graph's own file; empty if they are."""
    return {entry.key: entry.value for entry in tensor.external_data}


def _require_bounds(model: Any) -> None:
    graph = model.graph
    parts = len(graph.node) + len(graph.initializer)
    if parts > _MOST_PARTS:
        raise ValueError(f"it has {parts:,} nodes and weights, more than {_MOST_PARTS:,}")
    for entry in model.metadata_props:
        if len(entry.key) + len(entry.value) > _LONGEST_METADATA:
            raise ValueError(f"its metadata {entry.key[:80]} has {len(entry.value):,} letters")
    names = [entry.key for entry in model.metadata_props]
    if len(set(names)) < len(names):
        raise ValueError("its metadata name a key twice")


def _tensors(graph: Any) -> Iterator[Any]:
    """Weights and constants of a graph and of the graphs in its nodes; the parser bounds depth."""
    waiting = [graph]
    while waiting:
        part = waiting.pop()
        yield from part.initializer
        for node in part.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _require_bytes(tensor: Any, folder: Path) -> None:
    expected = _bytes_of(tensor)
    if tensor.data_location != tensor.EXTERNAL:
        present = len(tensor.raw_data)
        if tensor.HasField("raw_data") and expected is not None and present != expected:
            raise ValueError(_claims(tensor, expected, present))
        return
    values = external_values(tensor)
    name = values.get(_LOCATION, "")
    place = PurePosixPath(name)
    if not name or "\0" in name or len(name) > _LONGEST_NAME or not _is_below(place):
        raise ValueError(
            f"{tensor.name[:80]} has its weights at {name[:80]!r}, an absolute path or one outside "
            "its folder"
        )
    path = folder / place
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise _LinkedError(f"{tensor.name[:80]} has its weights behind the link {name[:80]}")
    offset = _whole(values.get(_OFFSET, "0"))
    length = _whole(values[_LENGTH]) if _LENGTH in values else expected
    with open_regular(path) as stream:
        state = os.fstat(stream.fileno())
    if state.st_nlink > 1:
        raise _LinkedError(f"{tensor.name[:80]} has its weights in {name[:80]}, a hard link")
    size = state.st_size
    if expected is None or length != expected or offset + expected > size:
        raise ValueError(_claims(tensor, expected, min(length or 0, max(0, size - offset))))


def _is_below(place: PurePosixPath) -> bool:
    return not place.is_absolute() and ".." not in place.parts


def _bytes_of(tensor: Any) -> int | None:
    """The bytes of a tensor's elements; None for types whose elements have no size."""
    from onnx import TensorProto
    from onnx.helper import tensor_dtype_to_np_dtype

    if any(side < 0 for side in tensor.dims):
        raise ValueError(f"{tensor.name[:80]} has a negative side")
    if tensor.data_type == TensorProto.STRING:
        return None
    name = TensorProto.DataType.Name(tensor.data_type)
    elements: int = prod(tensor.dims)
    for ending, bits in _SMALL.items():
        if name.startswith(ending):
            return -(-elements * bits // 8)
    return elements * int(tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


_SMALL = {"INT4": 4, "UINT4": 4, "FLOAT4": 4, "INT2": 2, "UINT2": 2}


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"its weights begin or end at {text[:40]!r}")
    return int(text)


def _claims(tensor: Any, expected: int | None, present: int) -> str:
    return f"{tensor.name[:80]} claims {expected} bytes of weights and has {present}"


def external_parts(tensors: Iterable[Any], path: Path) -> list[Path]:
    """The files below a graph's folder that hold its weights, as ONNX wants them."""
    names = {external_values(tensor).get(_LOCATION, "")[:_LONGEST_NAME] for tensor in tensors}
    places = (PurePosixPath(name.replace("\0", "")) for name in names)
    return sorted({path.parent / place for place in places if place.name and _is_below(place)})
