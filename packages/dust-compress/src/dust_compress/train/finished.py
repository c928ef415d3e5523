"""A finished training: what is left of one, and what travels between machines.

A training may be done on another machine than the one that measures, a GPU for instance. Its state
folder has the same name on both, because the name follows from what decides the training; copied
there, a finished training is taken as it is.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dust_compress.train.loop import Outcome
from dust_compress.train.origin import Origin
from dust_compress.train.plan import TrainingPlan
from dust_compress.train.state import STATE_PICKLE_BYTES
from dust_core.errors import DustError
from dust_core.files import atomic_path
from dust_core.network.checkpoint.plain import load_plain
from dust_core.network.checkpoint.seal import sealed

FINISHED = "finished.pt"
_ANEW = f"delete {FINISHED} to train anew"


def is_finished(folder: Path) -> bool:
    """Whether a training is finished in `folder`, here or elsewhere."""
    return (folder / FINISHED).exists()


def save_finished(folder: Path, plan: TrainingPlan, outcome: Outcome) -> None:
    """Keep the outcome of a training, and let go of the state that it needed to resume."""
    values = {name: value for name, value in vars(outcome).items() if name != "origin"}
    content = {"plan": plan.to_dict(), "outcome": values, "origin": asdict(outcome.origin)}
    with atomic_path(folder / FINISHED) as temporary, temporary.open("wb") as file:
        torch.save(sealed(content), file)
    (folder / "state.pt").unlink(missing_ok=True)


def load_finished(folder: Path, plan: TrainingPlan) -> Outcome | None:
    """The outcome of a training in `folder`; None where none is finished there.

    Raises:
        DustError: the file is damaged, or of a training under another plan.
    """
    path = folder / FINISHED
    if not is_finished(folder):
        return None
    content, outcome = _read(path)
    planned, current = content["plan"], plan.to_dict()
    changed = [key for key in current if planned.get(key) != current[key]]
    if changed:
        raise DustError(
            "a training under another plan was finished here: "
            + ", ".join(f"{key} was {planned.get(key)}, is {current[key]}" for key in changed),
            where=str(path),
            fix=_ANEW,
        )
    for name, value in outcome.weights.items():
        if value.dtype == torch.float16:
            outcome.weights[name] = value.float()
    return outcome


def carry_finished(path: Path, target: Path, *, weights: bool = True) -> None:
    """Copy a finished training to carry it away, with its weights in float16 or without them.

    Networks that are stored in float16 lose nothing that they would not lose then.

    Raises:
        DustError: the file is damaged.
    """
    content, _ = _read(path)
    content["outcome"]["weights"] = {
        name: value.half() if value.is_floating_point() else value
        for name, value in content["outcome"]["weights"].items()
        if weights
    }
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        torch.save(sealed(content), file)


def _read(path: Path) -> tuple[dict[str, Any], Outcome]:
    """The content of a finished training, and its outcome.

    Raises:
        DustError: the file is damaged.
    """
    try:
        content = load_plain(path, pickle_bytes=STATE_PICKLE_BYTES)
        return content, Outcome(**content["outcome"], origin=Origin(**content["origin"]))
    except (DustError, OSError, ValueError, TypeError, KeyError) as error:
        raise DustError(
            f"not a finished training: {error}", where=str(path), fix=_ANEW, exit_code=1
        ) from error
