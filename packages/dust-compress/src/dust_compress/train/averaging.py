"""The average of the weights over a training."""

from collections.abc import Callable

import torch
from torch import Tensor

_Tensors = tuple[Tensor, ...] | list[Tensor]


def moving_average(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """Exponential averaging whose memory grows with the training, up to 1 / (1 - decay) steps.

    With a fixed decay of 0.999, the initial weights would make up more than half of the average
    after a training of 500 steps.
    """

    @torch.no_grad()
    def update(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        steps = float(count)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (4 + steps)))

    return update
