"""From weights by name to a network: whatever wrapped it is removed, and everything is compared."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dust_core.errors import DustError, first_line
from dust_core.network.checkpoint.published import without_aliases
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.visible import in_one_line

_SHOWN = 3
_LONGEST_NAME = 512
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# What DataParallel, DistributedDataParallel and torch.compile put before each name.
_WRAPPERS = ("module.", "_orig_mod.")


def build_network(config: Dust3rConfig, weights: Any, path: Path) -> Dust3r:
    """The network of that shape with these weights, in float32 and in evaluation mode.

    Raises:
        DustError: they are no weights, or those of another network.
    """
    held = _weights_by_name(weights, path)
    blocks = len(config.enc_heads) + 2 * len(config.dec_heads)
    if blocks > len(held):  # before as many blocks are built
        raise _mismatch(f"describes {blocks} blocks and holds {len(held)} weights", path)
    try:
        with torch.device("meta"):
            network = Dust3r(config)
    except Exception as error:  # torch and the network raise half a dozen unrelated types
        raise damaged(path, error) from error
    _compare(held, network, path)
    # As the digest reads them: strides may put several elements of a weight in one place.
    own = {name: value.contiguous() for name, value in held.items()}
    network.load_state_dict(own, assign=True)
    return network.float().eval()


def _weights_by_name(weights: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise damaged(path, ValueError("it holds no weights by name"))
    for name, value in weights.items():
        if len(name) > _LONGEST_NAME:
            raise damaged(path, ValueError(f"a name of its weights has {len(name):,} letters"))
        if value.dtype not in _FLOATS:
            kind = str(value.dtype).replace("torch.", "")
            raise damaged(path, ValueError(f"{name} holds {kind}, not plain floats"))
    held: dict[str, Tensor] = weights
    while held and any(all(name.startswith(w) for name in held) for w in _WRAPPERS):
        held = {name.partition(".")[2]: value for name, value in held.items()}
    return without_aliases(held)


def _compare(held: dict[str, Tensor], network: Dust3r, path: Path) -> None:
    expected = network.state_dict()
    faults = [
        ("lacks", expected.keys() - held.keys()),
        ("holds unknown", held.keys() - expected.keys()),
    ]
    for verb, keys in faults:
        if keys:
            raise _mismatch(f"{verb} {list_some(sorted(keys))}", path)
    shapes = [
        f"{key} is {tuple(held[key].shape)}, expected {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if held[key].shape != tensor.shape
    ]
    if shapes:
        raise _mismatch(f"has other shapes: {list_some(shapes)}", path)


def list_some(items: Iterable[str]) -> str:
    """The first few items, and how many more there are."""
    items = [in_one_line(item) for item in items]
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def damaged(path: Path, error: Exception) -> DustError:
    """The error that a checkpoint cannot be read, for what a library raised at it."""
    return DustError(
        f"the checkpoint cannot be read: {first_line(error)}",
        where=str(path),
        fix="it is damaged or no checkpoint: copy or pull it again",
    )


def _mismatch(what: str, path: Path) -> DustError:
    return DustError(
        f"the checkpoint {what}",
        where=str(path),
        fix="its weights do not belong to the network it describes: get the file again",
    )
