"""A training small enough to be killed twenty times."""

import hashlib
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dust_compress.train import Objective, Outcome, TrainingPlan, Validation, train
from dust_core.errors import DustError
from dust_core.stopping import stop_signals

PLAN = TrainingPlan(
    epochs=6,
    steps_per_epoch=5,
    accumulate=2,
    optimiser="muon",  # and AdamW on the biases: both are saved and resumed
    learning_rate=1e-2,
    final_learning_rate=1e-6,
    warmup_steps=3,
    weight_decay=0.05,
    betas=(0.9, 0.95),
    clip_norm=1.0,
    ema_decay=0.9,
    precision="bf16",
    patience=None,
    seed=42,
    checkpoint_minutes=0.0,
)


class Regression(Objective):
    """Fit y = x W, with noise drawn from torch's own generator as dropout would draw it."""

    def __init__(self, delay: float = 0.0) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 1)))
        self.delay = delay

    def forward(self, batch: Any, progress: float) -> dict[str, Tensor]:
        time.sleep(self.delay)  # a step long enough to be killed in
        inputs, targets = batch
        noise = 0.01 * torch.randn_like(inputs)
        error = (self.network(inputs + noise) - targets).square().mean()
        return {"total": error * (1 + progress), "error": error}


class Stream:
    """Batches that depend on their number alone; ranks take turns within a batch."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.position, self.rank, self.size = 0, rank, size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            generator = torch.Generator().manual_seed(self.position)
            inputs = torch.randn(8, 4, generator=generator)
            targets = inputs.sum(1, keepdim=True).sin()
            self.position += 1
            yield inputs[self.rank :: self.size], targets[self.rank :: self.size]

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position = state["position"]


def validate(network: nn.Module) -> Validation:
    inputs = torch.linspace(-1, 1, 32).reshape(8, 4)
    score = float((network(inputs) - inputs.sum(1, keepdim=True).sin()).abs().mean())
    return Validation(score, {"error": score})


def digest(outcome: Outcome) -> str:
    """One string that differs if a single bit of the best weights differs."""
    content = b"".join(w.numpy().tobytes() for w in outcome.weights.values())
    return hashlib.sha256(content).hexdigest()


def main(folder: Path, delay: float) -> None:
    """Train in `folder` and leave the digest of the weights there, or the error's message."""
    torch.set_num_threads(1)
    try:
        outcome = train(Regression(delay), Stream(), PLAN, folder, validate)
    except DustError as error:
        (folder / "message").write_text(str(error))
        sys.exit(error.exit_code)
    (folder / "digest").write_text(digest(outcome))


def stopped_at_the_end(folder: Path) -> None:
    """Train in `folder` for an epoch, and get SIGTERM during its validation."""

    def interrupted(network: torch.nn.Module) -> Validation:
        signal.raise_signal(signal.SIGTERM)
        return validate(network)

    with stop_signals() as stop:
        try:
            stop.unblock()
            train(Regression(), Stream(), replace(PLAN, epochs=1), folder, interrupted)
        except KeyboardInterrupt:
            sys.exit(stop.exit_code)
