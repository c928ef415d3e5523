"""The state that a training needs to resume exactly."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dust_compress.train.plan import TrainingPlan
from dust_core.errors import DustError
from dust_core.files import atomic_path
from dust_core.network.checkpoint.plain import load_plain
from dust_core.network.checkpoint.seal import sealed

Weights = dict[str, Tensor]

STATE_PICKLE_BYTES = 16_000_000
"""What a training may note beside its tensors: its history, the samples that it skipped."""


@dataclass
class TrainState:
    """The mutable part of a training; the rest is its plan, objective and feed.

    Attributes:
        step: optimiser steps done.
        best_score: lowest validation score so far.
        best_epoch: epochs done when it was reached.
        best_weights: the weights that reached it.
        history: an entry for each epoch: step, training means, validation metrics.
        running: sums of the loss parts since the last validation.
        seconds: time spent, until the state was last saved.
    """

    step: int = 0
    best_score: float = float("inf")
    best_epoch: int = 0
    best_weights: Weights = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def save_state(path: Path, state: TrainState, plan: TrainingPlan, parts: dict[str, Any]) -> None:
    """Write the state and the state dicts of `parts` (network, optimiser, average, feed)."""
    content = {
        "recipe": plan.to_dict(),
        "state": vars(state),
        "parts": parts,
        "torch_rng": torch.get_rng_state(),
    }
    # To an open file: given a path, torch does not say why it cannot write.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(sealed(content), file)


def load_state(path: Path, plan: TrainingPlan) -> tuple[TrainState, dict[str, Any]] | None:
    """The state and the parts' state dicts, or None where nothing was saved yet.

    Raises:
        DustError: the file is damaged or was written under another plan.
    """
    if not path.exists():
        return None
    fix = f"delete {path.name} to train anew, or restore the recipe to resume"
    try:
        content = load_plain(path, pickle_bytes=STATE_PICKLE_BYTES)
        saved_plan, state = content["recipe"], TrainState(**content["state"])
        parts, rng = content["parts"], content["torch_rng"]
    except (DustError, OSError, ValueError, TypeError, KeyError) as error:
        raise DustError(f"cannot resume: {error}", where=str(path), fix=fix) from error
    current = plan.to_dict()
    changed = [key for key in current if saved_plan.get(key) != current[key]]
    if changed:
        raise DustError(
            "cannot resume under another plan: "
            + ", ".join(f"{k} was {saved_plan.get(k)}, is {current[k]}" for k in changed),
            where=str(path),
            fix=fix,
        )
    torch.set_rng_state(rng)
    return state, parts
