"""What a training adds to the measurement of its network."""

from collections.abc import Mapping
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
    """The measurement with what the training cost and how it went."""
    device = task.profile.device
    hours = outcome.seconds / 3600 * device.count
    reasons = {field: why for field, why in measured.reasons.items() if field != "gpu_hours"}
    if device.kind == "cpu":
        reasons["gpu_hours"] = f"trained on a CPU, in {hours:.2f} hours"
    return replace(
        measured,
        gpu_hours=None if device.kind == "cpu" else hours,
        reasons=reasons,
        quantities=dict(quantities or measured.quantities),
        notes=f"epoch {outcome.best_epoch} of {outcome.epochs}; {measured.notes}",
    )
