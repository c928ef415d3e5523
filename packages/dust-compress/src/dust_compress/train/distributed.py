"""Data-parallel training under `torchrun`; a single process without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.device_mesh import init_device_mesh

from dust_core.declared.specs import ResolvedTask


@dataclass(frozen=True)
class World:
    """This process's place among the processes of a training.

    Attributes:
        rank, size: its number, and the number of processes.
        device: its own device; on a machine with several GPUs no two ranks share one.
    """

    rank: int
    size: int
    device: torch.device

    @staticmethod
    def join(kind: str) -> "World":
        """Join the group that `torchrun` describes in the environment, if there is one.

        Args:
            kind: of device, `cpu` or `cuda`; it decides how the ranks communicate.
        """
        cuda = kind == "cuda"
        local = int(os.environ.get("LOCAL_RANK", "0"))
        device = torch.device(kind, local) if cuda else torch.device(kind)
        if "WORLD_SIZE" not in os.environ:
            return World(0, 1, device)
        if not dist.is_initialized():
            if cuda:
                torch.cuda.set_device(device)
            init_device_mesh(kind, (int(os.environ["WORLD_SIZE"]),))
        return World(dist.get_rank(), dist.get_world_size(), device)

    @contextmanager
    def synchronised(self, module: nn.Module, last: bool) -> Iterator[None]:
        """Average gradients over the ranks only in the last backward pass of a step."""
        if self.size > 1 and not last:
            assert isinstance(module, nn.parallel.DistributedDataParallel)
            with module.no_sync():
                yield
        else:
            yield

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether each flag is set on any rank: clocks and signals differ between ranks."""
        if self.size == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.uint8, device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in raised)

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, by rank, on every rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


_DEVICE = "DUST_TRAINING_DEVICE"
"""The environment variable that names the device of a training which is done elsewhere than its
task is measured."""


def train_on(kind: str) -> None:
    """Let this process train on another device, `cpu` or `cuda`, than the profile's.

    The profile's device is the one that is measured. A network may be trained anywhere: its quality
    is measured afterwards, and its record names the device.
    """
    os.environ[_DEVICE] = kind


def world_of(task: ResolvedTask) -> World:
    """This process's place among the ranks of a task."""
    return World.join(os.environ.get(_DEVICE, task.profile.device.kind))


def device_of(task: ResolvedTask) -> torch.device:
    """The device on which this rank works on a task."""
    return world_of(task).device


@contextmanager
def all_ranks(task: ResolvedTask) -> Iterator[None]:
    """The part of a task that every rank executes; only the first continues after it.

    The others exit there, whether or not anything was trained, so that a task is measured and its
    results are written once.
    """
    world = world_of(task)
    yield
    if world.size > 1:
        dist.barrier()
        dist.destroy_process_group()
    if world.rank > 0:
        raise SystemExit(0)


def data_parallel(module: nn.Module, world: World) -> nn.Module:
    """`module`, with its gradients averaged over the ranks if there are several."""
    if world.size == 1:
        return module
    return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)


def mean_over_ranks(total: Tensor, count: Tensor) -> Tensor:
    """sum / count over all ranks, as a share whose average over the ranks is that mean.

    Masked losses divide by a count that differs by rank. With its own count, a rank with few valid
    pixels would weigh each of them more than a rank with many.
    """
    if not dist.is_initialized():
        return total / count.clamp(min=1)
    everywhere = count.detach().clone().float()
    dist.all_reduce(everywhere)
    return total * dist.get_world_size() / everywhere.clamp(min=1)
