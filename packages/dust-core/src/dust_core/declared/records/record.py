"""The record: the 25 fields that describe one measured experiment."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    JsonValue,
    PlainSerializer,
    model_validator,
)

from dust_core.declared.records.base import Frozen, NonNegative, Positive
from dust_core.declared.specs.names.vocabulary import KeepFamily

QUALITY_METRICS = ("chamfer", "absrel", "rmse", "delta1")
"""The quality metrics, in record order; delta1 is the primary one."""

HIGHER_IS_BETTER: Mapping[str, bool] = {
    "chamfer": False,
    "absrel": False,
    "rmse": False,
    "delta1": True,
}

MEASURED_FIELDS = (
    "params_M",
    "flops_G",
    "size_MB",
    "vram_GB",
    *QUALITY_METRICS,
    "t_pair_p50_ms",
    "t_pair_p95_ms",
    "t_scene_s",
    "pairs_per_sec",
    "gpu_hours",
)
"""The fields that are measured: a null in one of them needs a reason."""


def _to_utc_second(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(microsecond=0)


def utc_text(moment: dt.datetime) -> str:
    """An aware datetime as `2026-11-23T08:15:00Z`."""
    return _to_utc_second(moment).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_to_utc_second),
    PlainSerializer(utc_text, return_type=str, when_used="json"),
]
"""A time in UTC, to the second; a datetime without a time zone is refused."""


def _field(unit: str | None, description: str, example: JsonValue, **bounds: Any) -> Any:
    """A required field whose JSON Schema carries its unit (null: it has none) and an example."""
    return Field(
        description=description,
        examples=[example],
        json_schema_extra={"unit": unit},
        **bounds,
    )


class Record(Frozen):
    """One experiment's figures: exactly these 25 fields, in this order.

    A field that does not apply, or could not be measured, is null: never 0 and never absent.
    The `Provenance` beside the record holds the sources of the figures (digests, device, per-pair
    values).
    """

    exp_id: str = _field(
        None,
        "Experiment id, derived from the task's parameters",
        "KQ_INT8_run1",
        pattern=r"^[A-Z0-9]+_[A-Za-z0-9]+(_[A-Za-z0-9-]+)?_run[1-9][0-9]*$",
        max_length=120,
    )
    combo: str = _field(
        None,
        "What the experiment combines, as in its id",
        "INT8",
        min_length=1,
        max_length=60,
    )
    rho: Positive | None = _field(
        "fraction", "Share that pruning removes, in (0, 1); the spec says of what", 0.1, lt=1
    )
    T: Positive | None = _field("1", "Distillation temperature", 3.0)
    beta: NonNegative | None = _field(
        "1",
        "Weight of the distillation loss at the start of training; notes describe a schedule",
        0.5,
        le=1,
    )
    gamma: NonNegative | None = _field("1", "Weight of the feature loss; 0 turns it off", 0.0)
    bits_w: int | None = _field(
        "bit", "Bits of the quantized weights; null where none are quantized", 8, ge=1, le=16
    )
    bits_a: int | None = _field(
        "bit", "Bits of the quantized activations; null where none are quantized", 8, ge=1, le=16
    )
    keep_list: tuple[KeepFamily, ...] | None = _field(
        None,
        "Layers kept in floating point when the rest is quantized",
        ["layernorm", "softmax"],
    )
    params_M: Positive | None = _field("million", "Parameters", 9.8)
    flops_G: Positive | None = _field(
        "GFLOP", "Floating-point operations of one pair at the workload's size", 62.4
    )
    size_MB: Positive | None = _field("MB", "File size of the artifact (10^6 bytes)", 39.4)
    vram_GB: Positive | None = _field(
        "GB", "Peak memory of the device, or of the process on a CPU (10^9 bytes)", 1.2
    )
    chamfer: NonNegative | None = _field(
        "m", "Mean over pairs of the chamfer distance of predicted to true points", 0.081
    )
    absrel: NonNegative | None = _field(
        "fraction", "Mean over pairs of the absolute relative depth error", 0.062
    )
    rmse: NonNegative | None = _field(
        "m", "Mean over pairs of the root-mean-square depth error", 0.31
    )
    delta1: NonNegative | None = _field(
        "fraction",
        "Mean over pairs of the share of depths within a factor of 1.25 of the truth; primary",
        0.953,
        le=1,
    )
    t_pair_p50_ms: Positive | None = _field("ms", "Median latency of one pair", 154.0)
    t_pair_p95_ms: Positive | None = _field("ms", "95th percentile of the latency of a pair", 171.0)
    t_scene_s: Positive | None = _field(
        "s", "Five images to one aligned scene, graph and alignment included", 14.2
    )
    pairs_per_sec: Positive | None = _field("1/s", "Pairs a second at the workload's batch", 6.5)
    gpu_hours: Positive | None = _field(
        "h", "GPU hours spent on the experiment; null where no GPU was used", 3.5
    )
    notes: str | None = _field(
        None, "One line for the reader", "beta 0.7 from 70 % of the epochs", max_length=500
    )
    seed: int = _field(None, "Seed of every random choice", 42, ge=0)
    datetime: Moment = _field(None, "When the measurement ended, in UTC", "2026-11-23T08:15:00Z")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.notes is not None and (
            self.notes != " ".join(self.notes.split()) or self.notes in ("", "null")
        ):
            raise ValueError(
                "notes must be one line of single-spaced text, or null where there is none"
            )
        low, high = self.t_pair_p50_ms, self.t_pair_p95_ms
        if low is not None and high is not None and low > high:
            raise ValueError(f"t_pair_p50_ms {low:g} exceeds t_pair_p95_ms {high:g}")
        return self


RECORD_FIELDS: tuple[str, ...] = tuple(Record.model_fields)
"""The 25 field names, in order: the header of result_table.csv."""


def misplaced_field(fields: Iterable[str]) -> tuple[str, str] | None:
    """The first field that is out of order, and the field that belongs there.

    None where all are in order.
    """
    pairs = zip(fields, RECORD_FIELDS, strict=False)
    return next(((field, due) for field, due in pairs if field != due), None)
