"""Training steps through `torch.compile`: fewer, larger kernels for the same sums."""

import os
import shutil

import torch

from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_core.network.model.blocks import DecoderBlock, EncoderBlock

_COMPILE = "DUST_TRAINING_COMPILED"
"""The environment variable by which a process, and those that it starts, compile their steps."""


def train_compiled() -> None:
    """Let this process compile the steps of its trainings.

    Raises:
        DustError: there is no C++ compiler, which PyTorch needs even for a GPU.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise DustError(
            f"torch.compile needs a C++ compiler, and there is no {compiler}",
            where="--compile",
            fix="install one (Debian: g++), or train without --compile",
        )
    os.environ[_COMPILE] = "1"


def trains_compiled() -> bool:
    """Whether this process compiles the steps of its trainings."""
    return os.environ.get(_COMPILE) == "1"


def compile_blocks(network: Dust3r) -> None:
    """Compile every block of a network, in place. Blocks of one shape share what is compiled.

    Names and weights stay, and a copy of the network is not compiled.
    """
    # A teacher's and a student's blocks, with and without gradients, each count against the limit.
    torch._dynamo.config.recompile_limit = max(32, torch._dynamo.config.recompile_limit)
    for block in network.modules():
        if isinstance(block, EncoderBlock | DecoderBlock):
            block.compile(dynamic=False)
