"""Data-parallel training under `torchrun`; a world of one without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist


@dataclass(frozen=True)
class World:
    """This process's place among those that train together."""

    rank: int = 0
    size: int = 1

    @staticmethod
    def current() -> "World":
        """Join the group that `torchrun` describes in the environment, if it does."""
        if "WORLD_SIZE" not in os.environ:
            return World()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return World(dist.get_rank(), dist.get_world_size())

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
        """Whether each flag is up on some rank: clocks and signals differ between them."""
        if self.size == 1:
            return flags
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        raised = torch.tensor(flags, dtype=torch.uint8, device=device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in raised)

    def leave(self) -> None:
        """End the group: the first rank goes on alone, the others exit."""
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()
        if self.rank > 0:
            raise SystemExit(0)

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, by rank, on every rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


def data_parallel(module: nn.Module, world: World) -> nn.Module:
    """`module`, with its gradients averaged over the ranks if there are several."""
    if world.size == 1:
        return module
    return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)


def mean_over_ranks(total: Tensor, count: Tensor) -> Tensor:
    """sum / count over all ranks, as a share whose average over the ranks is that mean.

    Masked losses divide by a count that differs by rank; dividing by the rank's own count would
    weigh a pixel on a poor rank more than one on a rich rank.
    """
    if not dist.is_initialized():
        return total / count.clamp(min=1)
    everywhere = count.detach().clone().float()
    dist.all_reduce(everywhere)
    return total * dist.get_world_size() / everywhere.clamp(min=1)
