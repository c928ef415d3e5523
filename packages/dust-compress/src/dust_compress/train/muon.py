"""Muon on all matrices of a shape at once, in the precision that the device multiplies in."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dust_compress.train.precision import computes_in_bf16

# K. Jordan's coefficients of the quintic iteration, 2024: they lift small singular values fastest.
_CUBIC, _STEPS = (3.4445, -4.7750, 2.0315), 5
_MOMENTUM, _TINY = 0.95, 1e-7


class Muon(Optimizer):
    """`torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, batched.

    PyTorch's own takes the matrices one by one, which on a GPU is a thousand small kernels a step,
    and always in bf16, which takes many times as long as FP32 on a processor without bf16
    instructions.

    The weights of a convolution count as the matrix of its flattened filters.

    Args:
        params: matrices, and weights of convolutions.
        lr, weight_decay: as AdamW's: the step is scaled to the size of AdamW's (arXiv:2502.16982).
    """

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step with the gradients at hand."""
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for parameter in with_gradient:
                by_shape[tuple(parameter.shape)].append(parameter)
            for alike in by_shape.values():
                directions = self._directions(alike)
                matrices = directions.flatten(2)
                updates = orthogonal(matrices).to(alike[0].dtype).view_as(directions)
                rate = 0.2 * max(matrices.shape[1:]) ** 0.5 * group["lr"]
                torch._foreach_mul_(alike, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(alike, list(updates), alpha=-rate)

    def _directions(self, parameters: list[Tensor]) -> Tensor:
        """Nesterov's momentum of the gradients, (P, *shape)."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        moments = [
            self.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
            for parameter in parameters
        ]
        torch._foreach_lerp_(moments, gradients, 1 - _MOMENTUM)
        return torch.stack(torch._foreach_lerp(gradients, moments, _MOMENTUM))


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the nearest orthogonal matrices to (P, rows, columns), by Newton and Schulz's
    iteration: singular values end between about 0.7 and 1.2."""
    a, b, c = _CUBIC
    x = matrices.bfloat16() if computes_in_bf16(matrices.device) else matrices
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_TINY)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
