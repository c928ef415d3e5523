"""A quantized network in a file: float weights, the policy, and a range for every quantizer."""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from dust_compress.quantize.network import insert_quantizers, ranges, set_ranges
from dust_core.declared.specs.models.quant import Policy
from dust_core.errors import DustError
from dust_core.files import atomic_path
from dust_core.network.checkpoint.load import own_checkpoint, read_archive
from dust_core.network.checkpoint.seal import sealed
from dust_core.network.model import Dust3r
from dust_core.tracked import remedy

FORMAT = "dust/quantized/v1"


@dataclass(frozen=True)
class QuantizedCheckpoint:
    """A network with calibrated quantizers, and the experiment that made it."""

    network: Dust3r
    policy: Policy
    exp_id: str | None


def save_quantized(
    network: Dust3r, path: Path, policy: Policy, *, exp_id: str | None, spec_digest: str | None
) -> None:
    """Write `network`, whose quantizers have ranges, atomically.

    Raises:
        DustError: the file cannot be written.
    """
    weights = dict(network.state_dict())
    content = {
        "format": FORMAT,
        "config": network.config.to_dict(),
        "model": {k: v.cpu() for k, v in weights.items() if "_quantizer." not in k},
        "ranges": {name: amax.cpu() for name, amax in ranges(network).items()},
        "policy": policy.model_dump(mode="json"),
        "exp_id": exp_id,
        "spec_digest": spec_digest,
    }
    # To an open file, so that equal networks have equal bytes: see `save_checkpoint`.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(sealed(content), file)


def load_quantized(path: Path) -> QuantizedCheckpoint:
    """Read a file that `save_quantized` wrote.

    Raises:
        DustError: the file is absent, truncated, hostile, or of another kind.
    """
    if not path.is_file():
        raise DustError("no such checkpoint", where=str(path), fix=remedy(path))
    content = read_archive(path)
    if content.get("format") != FORMAT:
        raise DustError(
            "this is not a quantized checkpoint", where=str(path), fix="give quant_ckpt.pth of Q-2"
        )
    checkpoint = own_checkpoint(content, path)
    stored = content.get("ranges")
    try:
        policy = Policy.model_validate(content.get("policy"))
        if not isinstance(stored, dict) or not all(isinstance(v, Tensor) for v in stored.values()):
            raise ValueError("it has no ranges")
        insert_quantizers(checkpoint.network, policy)
        set_ranges(checkpoint.network, stored)
    except (ValidationError, ValueError) as error:
        raise DustError(
            f"the quantized checkpoint is damaged: {str(error).splitlines()[0]}",
            where=str(path),
            fix=remedy(path, "run Q-2 again"),
        ) from error
    return QuantizedCheckpoint(checkpoint.network, policy, checkpoint.exp_id)
