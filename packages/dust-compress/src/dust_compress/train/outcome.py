"""The part of a network's record that comes from its training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dust_compress.train import Outcome
from dust_core.declared.records import Measurement
from dust_core.declared.specs import ResolvedTask


def trained(
    task: ResolvedTask,
    measured: Measurement,
    outcome: Outcome,
    quantities: Mapping[str, float] | None = None,
) -> Measurement:
    """The measurement with the cost and the outcome of the training."""
    gpu_hours, reasons = cost_of(task, (outcome,))
    others = {field: why for field, why in measured.reasons.items() if field != "gpu_hours"}
    return replace(
        measured,
        gpu_hours=gpu_hours,
        reasons=others | reasons,
        quantities={**measured.quantities, **(quantities or {})},
        notes="; ".join(filter(None, (how_it_went((outcome,)), measured.notes))),
    )


def cost_of(task: ResolvedTask, outcomes: Sequence[Outcome]) -> tuple[float | None, dict[str, str]]:
    """GPU hours of a training in stages, or None and the reason for the record."""
    device = task.profile.device
    hours = sum(outcome.seconds for outcome in outcomes) / 3600 * device.count
    if device.kind == "cpu":
        return None, {"gpu_hours": f"trained on a CPU, in {hours:.2f} hours"}
    return hours, {}


def how_it_went(outcomes: Sequence[Outcome]) -> str:
    """One line: the best epoch of the last stage, its validation loss, and what was unusual."""
    last = outcomes[-1]
    line = f"epoch {last.best_epoch} of {last.epochs} is best: validation loss {last.score:.4f}"
    if any(outcome.widened for outcome in outcomes):
        line += "; trained in FP32, because this device has no bf16"
    skipped = sum(outcome.skipped for outcome in outcomes)
    return f"{line}; {skipped} damaged samples skipped" if skipped else line
