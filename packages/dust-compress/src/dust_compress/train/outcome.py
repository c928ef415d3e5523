"""The part of a network's record that comes from its training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from dust_compress.train import Outcome
from dust_core.declared.records import Execution, Measurement
from dust_core.declared.specs import ResolvedTask


def trained(
    task: ResolvedTask,
    measured: Measurement,
    outcomes: Sequence[Outcome],
    quantities: Mapping[str, float] | None = None,
) -> Measurement:
    """The measurement with the cost and the outcome of the training."""
    gpu_hours, reasons = cost_of(task, outcomes)
    others = {field: why for field, why in measured.reasons.items() if field != "gpu_hours"}
    return replace(
        measured,
        gpu_hours=gpu_hours,
        reasons=others | reasons,
        quantities={**measured.quantities, **(quantities or {})},
        notes="; ".join(filter(None, (how_it_went(outcomes), measured.notes))),
    )


def cost_of(task: ResolvedTask, outcomes: Sequence[Outcome]) -> tuple[float | None, dict[str, str]]:
    """GPU hours of a training in stages, or None and the reason for the record."""
    on_gpus = [outcome for outcome in outcomes if outcome.origin.kind == "cuda"]
    hours = sum(outcome.seconds for outcome in on_gpus or outcomes) / 3600
    if not on_gpus:
        return None, {"gpu_hours": f"trained on a CPU, in {hours:.2f} hours"}
    count = task.profile.device.count if task.profile.device.kind == "cuda" else 1
    return hours * count, {}


def how_it_went(outcomes: Sequence[Outcome]) -> str:
    """One line: the best epoch of the last stage, its validation loss, and what was unusual."""
    last = outcomes[-1]
    line = f"epoch {last.best_epoch} of {last.epochs} is best: validation loss {last.score:.4f}"
    line += f"; {last.origin.sentence}"
    if any(outcome.widened for outcome in outcomes):
        line += "; trained in FP32, because this device has no bf16"
    skipped = sum(outcome.skipped for outcome in outcomes)
    return f"{line}; {skipped} damaged samples skipped" if skipped else line


def training_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """For a result file: the curves of a training's stages, and where each was trained."""
    return {
        "curves": [outcome.history for outcome in outcomes],
        "trained": [
            {**asdict(outcome.origin), "seconds": round(outcome.seconds, 1)} for outcome in outcomes
        ],
    }


def trained_by(execution: Execution, outcomes: Sequence[Outcome]) -> Execution:
    """The execution, with the sources that trained: on another machine they may be others."""
    if not outcomes:
        return execution
    code = outcomes[-1].origin.training_code
    return replace(execution, environment=replace(execution.environment, training_code=code))
