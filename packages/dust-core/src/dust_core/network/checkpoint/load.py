"""Reading a checkpoint of any of the three kinds."""

import re
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as repr_bounded
from typing import Any

import torch
from torch import Tensor

from dust_core.bounded import open_regular, read_json_bounded
from dust_core.errors import DustError
from dust_core.network.checkpoint.checkpoint import Checkpoint
from dust_core.network.checkpoint.plain import load_plain
from dust_core.network.checkpoint.published import config_from_call, config_from_values
from dust_core.network.checkpoint.save import FORMAT
from dust_core.network.checkpoint.seal import SEAL
from dust_core.network.checkpoint.weights import build_network, damaged, list_some
from dust_core.network.kinds import ModelKind, kind_of_model
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.tracked import remedy

_DESCRIPTION_BYTES = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,128}")


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
            f"the checkpoint's format is {repr_bounded(written_as)}, not {FORMAT!r}",
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
        values = read_json_bounded(described, _DESCRIPTION_BYTES)
        open_regular(stored).close()
        weights = load_file(stored)
    except FileNotFoundError as error:
        raise DustError(
            "a checkpoint folder holds config.json and model.safetensors",
            where=str(error.filename or stored),
            fix="download both files into one folder",
        ) from error
    except (OSError, ValueError, SafetensorError) as error:
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
    try:
        content = load_plain(path, zipped=kind is ModelKind.ARCHIVE)
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, ValueError(f"it holds a {type(content).__name__}, not a dict"))
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
    for name, value in (("exp_id", exp_id), ("spec_digest", digest)):
        if value is not None and not (isinstance(value, str) and _NAME.fullmatch(value)):
            raise damaged(path, ValueError(f"its {name} is {repr_bounded(value)}, not a name"))
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
