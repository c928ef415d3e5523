"""Reading a checkpoint of any of the three kinds."""

import argparse
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dust_core.errors import DustError
from dust_core.network.checkpoint.checkpoint import Checkpoint, Origin
from dust_core.network.checkpoint.published import (
    config_from_call,
    config_from_values,
    without_aliases,
)
from dust_core.network.checkpoint.save import FORMAT
from dust_core.network.model import Dust3r, Dust3rConfig

_SHOWN = 3


def load_checkpoint(path: Path, *, finite: bool = True) -> Checkpoint:
    """Read our `.pth`, the published `.pth`, or a hub folder (config.json, model.safetensors).

    Args:
        finite: whether NaN and infinity are refused; what measures a network counts them instead.

    Raises:
        DustError: the file is absent, truncated, hostile, or does not hold the network that it
            describes: wrong keys, wrong shapes, NaN.
    """
    checkpoint = _read(path)
    if finite:
        _require_finite(checkpoint.network, path)
    return checkpoint


def _read(path: Path) -> Checkpoint:
    if path.is_dir():
        return _from_hub(path)
    if not path.is_file():
        raise DustError("no such checkpoint", where=str(path), fix="pull it: `dvc pull`")
    content = read_archive(path)
    written_as = content.get("format")
    if written_as == FORMAT:
        return _own_checkpoint(content, path)
    if isinstance(written_as, str):
        raise DustError(
            f"the checkpoint's format is {written_as!r}, not {FORMAT!r}",
            where=str(path),
            fix="name one of a float network, or install the DUST that reads it",
        )
    description = getattr(content.get("args"), "model", None)
    if not isinstance(description, str):
        raise DustError(
            "neither a DUST checkpoint nor a published one: no config and no args.model",
            where=str(path),
            fix="give the file that its authors publish, or one that `dust run` wrote",
        )
    config = _described(lambda: config_from_call(description), path)
    return _build(config, content.get("model"), path, "published")


def _from_hub(folder: Path) -> Checkpoint:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    described, stored = folder / "config.json", folder / "model.safetensors"
    try:
        values = json.loads(described.read_text(encoding="utf-8"))
        weights = load_file(stored)
    except FileNotFoundError as error:
        raise DustError(
            "a checkpoint folder holds config.json and model.safetensors",
            where=str(error.filename or stored),
            fix="download both files",
        ) from error
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(folder, error) from error
    if not isinstance(values, dict):
        raise _damaged(described, ValueError("it holds no object"))
    config = _described(lambda: config_from_values(values), described)
    return _build(config, weights, stored, "hub")


def read_archive(path: Path) -> dict[str, Any]:
    """What torch.save wrote, if it is tensors, plain containers and published arguments alone.

    Raises:
        DustError: the file is truncated, or asks to run code.
    """
    if not zipfile.is_zipfile(path):
        raise _damaged(path, ValueError("it is not a zip archive, as torch writes them"))
    try:
        # The restricted unpickler: published checkpoints hold their arguments in this class.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # noqa: TID251
    except Exception as error:  # torch raises half a dozen unrelated types
        if "Unsupported global" in str(error) or "weights_only" in str(error).lower():
            raise DustError(
                f"the file asks to run code: {_refused_global(error)}",
                where=str(path),
                fix="do not load it; get the checkpoint from its authors",
            ) from error
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, ValueError(f"it holds a {type(content).__name__}, not a dict"))
    return content


def own_checkpoint(content: dict[str, Any], path: Path) -> Checkpoint:
    """The network in an archive that we wrote.

    Raises:
        DustError: it does not hold the network that it describes, or holds NaN.
    """
    checkpoint = _own_checkpoint(content, path)
    _require_finite(checkpoint.network, path)
    return checkpoint


def _own_checkpoint(content: dict[str, Any], path: Path) -> Checkpoint:
    config = _own_config(content, path)
    exp_id, digest = content.get("exp_id"), content.get("spec_digest")
    return _build(config, content.get("model"), path, "dust", exp_id, digest)


def _own_config(content: dict[str, Any], path: Path) -> Dust3rConfig:
    values = content.get("config")
    if not isinstance(values, dict):
        raise _damaged(path, ValueError("it holds no config"))
    return _described(lambda: Dust3rConfig.from_dict(values), path)


def _described(build: Callable[[], Dust3rConfig], path: Path) -> Dust3rConfig:
    try:
        return build()
    except (TypeError, ValueError, AttributeError) as error:
        raise DustError(
            f"the checkpoint describes no DUSt3R network: {error}",
            where=str(path),
            fix="give a checkpoint of DUSt3R",
        ) from error


def _build(
    config: Dust3rConfig,
    weights: Any,
    path: Path,
    origin: Origin,
    exp_id: str | None = None,
    spec_digest: str | None = None,
) -> Checkpoint:
    with torch.device("meta"):
        network = Dust3r(config)
    _check_weights(weights, network, path)
    network.load_state_dict(without_aliases(weights), assign=True)
    return Checkpoint(network.float().eval(), origin, exp_id, spec_digest)


def _check_weights(weights: Any, network: Dust3r, path: Path) -> None:
    if not isinstance(weights, dict) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise _damaged(path, ValueError("it holds no weights by name"))
    held, expected = without_aliases(weights), network.state_dict()
    faults = [
        ("lacks", expected.keys() - held.keys()),
        ("holds unknown", held.keys() - expected.keys()),
    ]
    for verb, keys in faults:
        if keys:
            raise _mismatch(f"{verb} {_list(sorted(keys))}", path)
    shapes = [
        f"{key} is {tuple(held[key].shape)}, expected {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if held[key].shape != tensor.shape
    ]
    if shapes:
        raise _mismatch(f"has other shapes: {_list(shapes)}", path)


def _require_finite(network: Dust3r, path: Path) -> None:
    weights = network.state_dict()
    broken = [key for key, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise DustError(
            f"NaN or infinity in {_list(broken)}",
            where=str(path),
            fix="the training that wrote it diverged: take an earlier checkpoint",
        )


def _list(items: Iterable[str]) -> str:
    items = list(items)
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _mismatch(what: str, path: Path) -> DustError:
    return DustError(
        f"the checkpoint {what}",
        where=str(path),
        fix="its weights do not belong to the network it describes: get the file again",
    )


def _damaged(path: Path, error: Exception) -> DustError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DustError(
        f"the checkpoint cannot be read: {reason}",
        where=str(path),
        fix="it is truncated or no checkpoint: copy or pull it again",
    )


def _refused_global(error: Exception) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return named.group(1) if named else "it names a type that is not allowed"
