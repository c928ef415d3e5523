"""The plan of a training: steps, learning rates, precision."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """All settings of a training besides its objective and its data.

    It is a profile's recipe with the experiment's epochs, in steps.

    Attributes:
        epochs: validations at most; early stopping may end sooner.
        steps_per_epoch: optimiser steps between two validations.
        accumulate: feed batches whose gradients make one step.
        optimiser: `adamw`, or `muon` on the blocks' matrices with `adamw` (`optimiser.py`).
        learning_rate: peak of the schedule.
        final_learning_rate: end of the cosine.
        warmup_steps: steps of the linear rise to the peak.
        weight_decay: on matrices only, not on norms and biases.
        betas: AdamW's.
        clip_norm: bound on the global norm of the gradient.
        ema_decay: decay a step of the averaged weights that are validated and kept; None trains
            without an average.
        precision: `bf16` (autocast) or `float32`.
        patience: epochs without a better validation before stopping; None never stops early.
        seed: of everything random.
        checkpoint_minutes: minutes between two saves of the state; it decides no result.
    """

    epochs: int
    steps_per_epoch: int
    accumulate: int
    optimiser: Literal["adamw", "muon"]
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    weight_decay: float
    betas: tuple[float, float]
    clip_norm: float
    ema_decay: float | None
    precision: Literal["bf16", "float32"]
    patience: int | None
    seed: int
    checkpoint_minutes: float = 3.0

    def __post_init__(self) -> None:
        for name in ("epochs", "steps_per_epoch", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}, must be positive")

    @property
    def steps(self) -> int:
        """Optimiser steps if no early stopping ends the training."""
        return self.epochs * self.steps_per_epoch

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to `final_learning_rate`."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        share = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * share

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a state file, so that no other plan resumes it."""
        return asdict(self) | {"betas": list(self.betas)}
