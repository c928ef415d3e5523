"""Training steps through `torch.compile`: fewer, larger kernels for the same sums."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dust_core.errors import DustError, first_line
from dust_core.network.model import Dust3r
from dust_core.network.model.blocks import DecoderBlock, EncoderBlock

_COMPILE = "DUST_TRAINING_COMPILED"
"""The environment variable by which a process, and those that it starts, compile their steps."""


@contextmanager
def compiled_steps() -> Iterator[None]:
    """Compile the steps of the trainings inside.

    Raises:
        DustError: there is no C++ compiler, which PyTorch needs even for a GPU; or the steps cannot
            be compiled with what is here.
    """
    from torch._dynamo.exc import TorchDynamoException

    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise DustError(
            f"torch.compile needs a C++ compiler, and there is no {compiler}",
            where="--compile",
            fix="install one (Debian: g++), or train without --compile",
        )
    os.environ[_COMPILE] = "1"
    try:
        yield
    except TorchDynamoException as error:
        raise DustError(
            f"the steps cannot be compiled here: {first_line(error)}",
            where="--compile",
            fix="train without --compile, or mend the compiler that it names",
            exit_code=1,
        ) from error
    finally:
        del os.environ[_COMPILE]


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
