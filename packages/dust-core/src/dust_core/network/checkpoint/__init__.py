"""Checkpoints: ours, the published file, the hub's folder. Nothing in a file is ever run."""

from dust_core.network.checkpoint.checkpoint import Checkpoint, Origin
from dust_core.network.checkpoint.load import load_checkpoint
from dust_core.network.checkpoint.save import save_checkpoint, weights_digest

__all__ = ["Checkpoint", "Origin", "load_checkpoint", "save_checkpoint", "weights_digest"]
