"""The optimisers: AdamW alone, or with Muon on the blocks' matrices."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dust_compress.train.muon import Muon
from dust_compress.train.plan import TrainingPlan

_ENDS = tuple(
    ["patch_embed.proj.weight"]
    + [f"downstream_head{view}.{last}.weight" for view in (1, 2) for last in ("proj", "dpt.head.4")]
)


class Optimisers:
    """The optimisers of a training behind one interface.

    Muon (K. Jordan et al., 2024) replaces a matrix's momentum by the nearest orthogonal matrix,
    here scaled to the size of AdamW's steps (arXiv:2502.16982), so that both have the same learning
    rate. It is for matrices between hidden activations, convolutions among them: patches, the
    layers that write predictions, norms and biases stay with AdamW. AdamW moves every weight of a
    convolution by the whole rate, often all in one direction, and through the fifteen convolutions
    of a DPT head such steps multiply.
    """

    def __init__(self, network: nn.Module, plan: TrainingPlan) -> None:
        named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
        hidden = [p for name, p in named if plan.optimiser == "muon" and _is_hidden(name, p)]
        taken = set(map(id, hidden))
        rest = [p for _, p in named if id(p) not in taken]
        adamw = torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim > 1], "weight_decay": plan.weight_decay},
                {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=plan.learning_rate,
            betas=plan.betas,
            fused=True,  # a fifth of the plain one's time on a CPU
        )
        self._parts: list[Optimizer] = [adamw]
        if hidden:
            self._parts.append(Muon(hidden, lr=plan.learning_rate, weight_decay=plan.weight_decay))

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for part in self._parts:
            part.zero_grad()

    def step(self, rate: float) -> None:
        """One step at a learning rate."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """The state for `load_state_dict`."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Restore the state of the optimisers of an equal training."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


def _is_hidden(name: str, parameter: Tensor) -> bool:
    return parameter.ndim in (2, 4) and name not in _ENDS
