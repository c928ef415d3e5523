"""Writing our own format."""

import hashlib
from pathlib import Path

import torch

from dust_core.files import atomic_path
from dust_core.network.checkpoint.seal import sealed
from dust_core.network.model import Dust3r

FORMAT = "dust/v1"


def save_checkpoint(
    network: Dust3r,
    path: Path,
    *,
    exp_id: str | None = None,
    spec_digest: str | None = None,
    half: bool = False,
) -> None:
    """Write config, weights, origin and a digest of them to `path` (.pth), whole or not at all.

    Args:
        exp_id, spec_digest: the experiment that made the weights.
        half: store float16, half the bytes. What is loaded, in float32, is the rounded network;
            measure that one.

    Raises:
        DustError: the file cannot be written.
    """
    content = {
        "format": FORMAT,
        "config": network.config.to_dict(),
        "model": {
            name: tensor.cpu().to(torch.float16 if half else tensor.dtype)
            for name, tensor in network.state_dict().items()
        },
        "exp_id": exp_id,
        "spec_digest": spec_digest,
    }
    # To an open file: given a path, torch writes its name, here a random one, into the archive, and
    # equal networks would have unequal bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(sealed(content), file)


def weights_digest(network: Dust3r) -> str:
    """SHA-256 of a network's shape and weights, on whatever device and in whatever file they are.

    Unlike a file's digest, it does not depend on the version of PyTorch that wrote the file.
    """
    digest = hashlib.sha256(repr(network.config).encode())
    for name, tensor in network.state_dict().items():
        values = tensor.detach().float().cpu().contiguous().numpy()
        digest.update(f"{name}{tuple(values.shape)}".encode() + values.tobytes())
    return digest.hexdigest()
