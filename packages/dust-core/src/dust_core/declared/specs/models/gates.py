"""The success lines, by name."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from dust_core.declared.specs.models.base import SpecFile, SpecModel
from dust_core.declared.specs.models.constraints import Name, Number, TaskId, Text, refuse
from dust_core.declared.specs.models.waivers import ValueWaiver, Waiver

Op = Literal["<=", ">=", "=="]


@dataclass(frozen=True, slots=True)
class GateMetric:
    """A quantity that a line can bind: its unit, its operator and its meaning.

    A relative quantity compares `fields` of a record with those of the line's baseline; of
    `any_float`, with the baseline's network in the float precision in which it is fastest.
    """

    unit: str
    op: Op
    meaning: str
    fields: tuple[str, ...] = ()
    any_float: bool = False

    @property
    def relative(self) -> bool:
        """Whether the quantity is relative to a baseline."""
        return bool(self.fields)

    @property
    def sampled(self) -> bool:
        """Whether it is a latency: value and interval must be on one side of the line."""
        return self.fields == ("t_pair_p50_ms",)


METRICS: dict[str, GateMetric] = {
    "delta1_drop": GateMetric(
        "%", "<=", "100 (b - c) / b of delta1, candidate c against baseline b", ("delta1",)
    ),
    "absrel_drop": GateMetric("%", "<=", "100 (c - b) / b of absrel", ("absrel",)),
    "rmse_drop": GateMetric("%", "<=", "100 (c - b) / b of rmse", ("rmse",)),
    "chamfer_drop": GateMetric("%", "<=", "100 (c - b) / b of chamfer", ("chamfer",)),
    "t_pair_p50_down": GateMetric(
        "%",
        ">=",
        "100 (b - c) / b of the median pair latency, timed in turn",
        ("t_pair_p50_ms",),
    ),
    "t_pair_p50_down_fastest_float": GateMetric(
        "%",
        ">=",
        "the same against the fastest float precision in which the baseline's network was timed",
        ("t_pair_p50_ms",),
        any_float=True,
    ),
    "size_or_params_down": GateMetric(
        "%",
        ">=",
        "the larger of 100 (b - c) / b of file size and of parameters",
        ("size_MB", "params_M"),
    ),
    "nan_count": GateMetric("count", "==", "non-finite values among weights and predictions"),
    "missing_fields": GateMetric("count", "==", "fields absent from the task's records and log"),
    "missing_pairs": GateMetric("count", "==", "declared pairs absent from the workload's shards"),
    "missing_variants": GateMetric("count", "==", "declared variants without a finite record"),
    "validation_loss_rise": GateMetric(
        "%", "<=", "largest rise of the validation loss above its lowest value so far"
    ),
    "engine_built": GateMetric(
        "bool", "==", "1 if the engine compiles and, where its device is present, runs finite"
    ),
    "delta1": GateMetric(
        "fraction", ">=", "share of pixels whose depth is within a factor of 1.25 of the truth"
    ),
    "quality_rank": GateMetric("rank", "==", "place of the chosen student by the primary metric"),
}
"""Every quantity that a line can bind."""


class Gate(SpecModel):
    """One line: a metric, an operator, a value."""

    PROSE: ClassVar = frozenset({"title", "waiver"})

    title: Text = Field(
        description="What the line requires, in words.", examples=["delta1 falls by 1 % at most"]
    )
    metric: Text = Field(
        description=f"The quantity: {'; '.join(f'{k} ({m.unit})' for k, m in METRICS.items())}.",
        examples=["delta1_drop"],
        json_schema_extra={"enum": list(METRICS)},
    )
    op: Op = Field(description="How the quantity compares with the value.", examples=["<="])
    value: Number = Field(description="The line, in the metric's unit.", examples=[1.0])
    unit: Text = Field(
        description="Unit of the value, which is the metric's: %, count, fraction, bool or rank.",
        examples=["%"],
    )
    baseline: TaskId | None = Field(
        description="The task whose record is the baseline; null for an absolute quantity.",
        examples=["P0-2"],
    )
    waiver: Waiver | None = Field(
        default=None, description="Permission for a loosened line.", examples=[None]
    )

    @model_validator(mode="after")
    def _agrees_with_its_metric(self) -> Self:
        metric = METRICS.get(self.metric)
        if metric is None:
            raise refuse(
                "gate_metric",
                "{found} is not a metric: {expected}",
                field="metric",
                found=repr(self.metric),
                expected=", ".join(METRICS),
            )
        for field, value, expected in (
            ("unit", self.unit, metric.unit),
            ("op", self.op, metric.op),
        ):
            if value != expected:
                raise refuse(
                    f"gate_{field}",
                    "{found} is not {expected}, the {field} of {metric}",
                    field=field,
                    found=repr(value),
                    expected=repr(expected),
                    metric=self.metric,
                )
        if metric.relative != (self.baseline is not None):
            raise refuse(
                "gate_baseline",
                "{metric} {expected}",
                field="baseline",
                metric=self.metric,
                expected="needs a baseline task" if metric.relative else "has no baseline",
            )
        return self

    def met_by(self, value: float) -> bool:
        """Whether a measured value, in the line's unit, meets the line; NaN never does."""
        return meets(value, self.op, self.value)


def meets(value: float, op: Op, line: float) -> bool:
    """Whether `value` compares with `line` as `op` asks; NaN never does."""
    match op:
        case "<=":
            return value <= line
        case ">=":
            return value >= line
        case "==":
            return value == line


class GatesSpec(SpecModel):
    """The lines by name."""

    PROSE = frozenset({"waivers"})

    gates: dict[Name, Gate] = Field(description="The lines, by the names that tasks use.")
    waivers: tuple[ValueWaiver, ...] = Field(
        default=(), description="Permissions to change protected values, which are no lines."
    )


class Gates(SpecFile):
    """gates.yaml: what counts as success."""

    kind: Literal["Gates"] = Field(description="The kind of file.", examples=["Gates"])
    spec: GatesSpec = Field(description="The lines.")
