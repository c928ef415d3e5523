"""Reading a checkpoint of any of the three kinds."""

import argparse
import json
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dust_core.errors import DustError
from dust_core.network.checkpoint.checkpoint import Checkpoint
from dust_core.network.checkpoint.published import config_from_call, config_from_values
from dust_core.network.checkpoint.save import FORMAT
from dust_core.network.checkpoint.seal import SEAL, fault_of_archive, fault_of_content
from dust_core.network.checkpoint.weights import build_network, damaged, list_some
from dust_core.network.kinds import ModelKind, kind_of_model
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.tracked import remedy


def load_checkpoint(path: Path, *, finite: bool = True) -> Checkpoint:
    """Read our `.pth`, the published `.pth`, or a hub folder (config.json, model.safetensors).

    Args:
        finite: whether NaN and infinity are refused; what measures a network counts them instead.

    Raises:
        DustError: the file is absent, damaged, hostile, or does not hold the network that it
            describes: wrong keys, wrong shapes, NaN.
    """
    checkpoint = _read(path)
    if finite:
        _require_finite(checkpoint.network, path)
    return checkpoint


def _read(path: Path) -> Checkpoint:
    if not path.exists():
        raise DustError("no such checkpoint", where=str(path), fix=remedy(path))
    kind = kind_of_model(path)
    if kind is ModelKind.HUB:
        return _from_hub(path, path / "model.safetensors")
    if kind is ModelKind.SAFETENSORS:
        return _from_hub(path.parent, path)
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
            "neither a DUST checkpoint nor a published one: no config and no args.model"
            + (", only weights" if _are_weights(content) else ""),
            where=str(path),
            fix="give the file that its authors publish, or one that `dust run` wrote",
        )
    config = _described(lambda: config_from_call(description), path)
    return Checkpoint(build_network(config, content.get("model"), path), "published")


def _are_weights(content: dict[str, Any]) -> bool:
    values = content.get("state_dict", content.get("model", content))
    return isinstance(values, dict) and all(isinstance(value, Tensor) for value in values.values())


def _from_hub(folder: Path, stored: Path) -> Checkpoint:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    described = folder / "config.json"
    try:
        values = json.loads(described.read_text(encoding="utf-8-sig"))
        weights = load_file(stored)
    except FileNotFoundError as error:
        raise DustError(
            "a checkpoint folder holds config.json and model.safetensors",
            where=str(error.filename or stored),
            fix="download both files into one folder",
        ) from error
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        kind_of_model(stored)  # a pointer or a web page in its place has a message of its own
        raise damaged(folder, error) from error
    if not isinstance(values, dict):
        raise damaged(described, ValueError("it holds no object"))
    config = _described(lambda: config_from_values(values), described)
    return Checkpoint(build_network(config, weights, stored), "hub")


def read_archive(path: Path) -> dict[str, Any]:
    """What torch.save wrote, if it is tensors, plain containers and published arguments alone.

    The content is proven by the digest in it, and where it has none by the archive's sums.

    Raises:
        DustError: the file is truncated or damaged, or asks to run code.
    """
    kind = kind_of_model(path)
    if kind not in (ModelKind.ARCHIVE, ModelKind.LEGACY):
        raise DustError(
            f"this is {kind.value}, not a checkpoint of torch",
            where=str(path),
            fix="give the checkpoint that it was made from",
        )
    zipped = kind is ModelKind.ARCHIVE
    if zipped and not zipfile.is_zipfile(path):
        raise damaged(path, ValueError("it is not a zip archive, as torch writes them"))
    try:
        # The restricted unpickler: published checkpoints hold their arguments in this class.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types of storage that torch no longer has
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)  # noqa: TID251
    except Exception as error:  # torch raises half a dozen unrelated types
        if "Unsupported global" in str(error) or "weights_only" in str(error).lower():
            raise DustError(
                f"the file asks to run code: {_refused_global(error)}",
                where=str(path),
                fix="do not load it; get the checkpoint from its authors",
            ) from error
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, ValueError(f"it holds a {type(content).__name__}, not a dict"))
    fault = fault_of_content(content)
    if SEAL not in content and zipped:
        fault = fault_of_archive(path)
    if fault is not None:
        raise damaged(path, ValueError(fault))
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
    if not all(value is None or isinstance(value, str) for value in (exp_id, digest)):
        raise damaged(path, ValueError("its exp_id or spec_digest is no text"))
    network = build_network(config, content.get("model"), path)
    return Checkpoint(network, "dust", exp_id, digest, content.get(SEAL))


def _own_config(content: dict[str, Any], path: Path) -> Dust3rConfig:
    values = content.get("config")
    if not isinstance(values, dict):
        raise damaged(path, ValueError("it holds no config"))
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


def _require_finite(network: Dust3r, path: Path) -> None:
    weights = network.state_dict()
    broken = [key for key, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise DustError(
            f"NaN or infinity in {list_some(broken)}",
            where=str(path),
            fix="the training that wrote it diverged: take an earlier checkpoint",
        )


def _refused_global(error: Exception) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return named.group(1) if named else "it names a type that is not allowed"
