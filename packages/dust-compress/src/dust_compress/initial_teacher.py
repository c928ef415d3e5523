"""The teacher of a profile before its first training step: drawn anew, or from stored weights."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.profile import Network
from dust_core.declared.specs.models.training import Start
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.network.surgery.patches import enlarge_patches, shrink_patches


def initial_network(task: ResolvedTask) -> Dust3r:
    """The profile's teacher before its first stage, the same every time.

    Raises:
        DustError: the weights that the stage starts from are absent, or not the declared ones.
    """
    first = (task.profile.training.teacher or ())[0]
    config = config_of(task.profile.teacher.network, first.patch_size)
    torch.manual_seed(task.workload.seed)
    if first.start is not None:
        return _started(first.start, config)
    return initialise(Dust3r(config))


def _started(start: Start, config: Dust3rConfig) -> Dust3r:
    """The weights of an earlier training, with the patches of the first stage."""
    path = Path(start.checkpoint)
    if not path.is_file():
        raise DustError(
            "the weights that the training starts from are not here",
            where=str(path),
            fix=f"pull them: dvc pull {path}.dvc; their SHA-256 is {start.sha256}",
        )
    if (actual := sha256_file(path)) != start.sha256:
        raise DustError(
            f"not the weights that the training starts from: the SHA-256 is {actual}",
            where=str(path),
            fix=f"pull {path}.dvc again, or correct the SHA-256 in the profile",
        )
    network = load_checkpoint(path).network
    if start.heads == "new":
        network = with_new_heads(network, config)
    own, wanted = network.config.patch_size, config.patch_size
    if network.config == replace(config, patch_size=own) and not max(own, wanted) % min(
        own, wanted
    ):
        try:
            if own > wanted:
                return shrink_patches(network, own // wanted)
            return enlarge_patches(network, wanted // own)
        except ValueError as error:
            raise DustError(
                f"the weights that the training starts from have patches of {own}: {error}",
                where=str(path),
                fix=f"start from weights with patches of {wanted}",
            ) from error
    raise DustError(
        "the weights that the training starts from have another shape than the profile's",
        where=str(path),
        fix="compare teacher.network of the profile with `dust inspect` of the file; if only the "
        "heads differ, write `heads: new` in start",
    )


def with_new_heads(network: Dust3r, config: Dust3rConfig) -> Dust3r:
    """The network with output heads of the kind that `config` has, drawn anew."""
    own = replace(network.config, head=config.head, dpt=config.dpt)
    renewed = initialise(Dust3r(own))
    weights = {
        key: value
        for key, value in network.state_dict().items()
        if not key.startswith("downstream_head")
    }
    renewed.load_state_dict(weights, strict=False)
    return renewed


def initialise(network: Dust3r) -> Dust3r:
    """Draw every linear layer's weights anew, in place, so that they keep the activations' scale.

    Xavier's uniform law, by each layer's own width (Glorot and Bengio, 2010). A fixed 0.02, as is
    usual for wider ViTs, is so small for layers this narrow that attention stays flat for long, and
    positions enter the network through attention alone.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.xavier_uniform_(network.patch_embed.proj.weight.flatten(1))
    return network


def config_of(shape: Network, patch_size: int) -> Dust3rConfig:
    """The configuration of a declared shape, with patches of that side in pixels."""
    widths = shape.dpt
    return Dust3rConfig.uniform(
        enc_dim=shape.enc_dim,
        enc_depth=shape.enc_depth,
        enc_heads=shape.enc_heads,
        dec_dim=shape.dec_dim,
        dec_depth=shape.dec_depth,
        dec_heads=shape.dec_heads,
        head=shape.head,
        dpt=None
        if widths is None
        else DptConfig(
            layer_dims=widths.layer_dims, feature_dim=widths.feature_dim, last_dim=widths.last_dim
        ),
        patch_size=patch_size,
    )
