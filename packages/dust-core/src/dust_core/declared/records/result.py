"""Results: a record with its provenance, and the file that holds a task's results."""

import math
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from dust_core.declared.records.aggregate import mean, percentile
from dust_core.declared.records.base import Frozen, Text
from dust_core.declared.records.provenance import Provenance
from dust_core.declared.records.record import MEASURED_FIELDS, QUALITY_METRICS, Record
from dust_core.declared.records.verdict import Verdict

_RELATIVE_TOLERANCE = 1e-9


class Result(Frozen):
    """A record and its provenance.

    The record must follow from the provenance. Every quality metric is the mean of its per-pair
    values, both latencies are percentiles of their samples, and every measured field that is null
    has a reason.
    """

    record: Record | None = Field(description="null for a task that runs no experiment of its own")
    provenance: Provenance

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.record is None:
            if self.provenance.role != "candidate":
                raise ValueError(f"a {self.provenance.role} needs a record")
            return self
        for metric in QUALITY_METRICS:
            values = self.provenance.per_pair.get(metric)
            _agree(self.record, metric, "the mean of per_pair", mean(values) if values else None)
        latency = self.provenance.latency
        for field, percent in (("t_pair_p50_ms", 50), ("t_pair_p95_ms", 95)):
            expected = percentile(latency.candidate_ms, percent) if latency else None
            _agree(self.record, field, f"percentile {percent} of the latency samples", expected)
        for field, reason in self.provenance.reasons.items():
            if getattr(self.record, field) is not None:
                raise ValueError(f"reasons says why {field} is null ({reason}), but it is not")
        for field in MEASURED_FIELDS:
            if getattr(self.record, field) is None and field not in self.provenance.reasons:
                raise ValueError(f"{field} is null and provenance.reasons does not say why")
        return self

    @property
    def exp_id(self) -> str | None:
        """The experiment's id; None for a task that runs no experiment of its own."""
        return None if self.record is None else self.record.exp_id


class ResultFile(Frozen):
    """The output of one execution of a task: its results and the verdicts on them."""

    apiVersion: Literal["dust/v1"]
    kind: Literal["Result"]
    task: Text = Field(description="Task that was executed", examples=["K-1"])
    results: tuple[Result, ...] = Field(min_length=1)
    verdicts: tuple[Verdict, ...] = Field(description="Verdicts on the candidates")
    extra: dict[str, JsonValue] = Field(
        description="Other outputs of the task, such as its training curve"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for index, result in enumerate(self.results):
            if result.provenance.task != self.task:
                raise ValueError(
                    f"results[{index}] is of task {result.provenance.task!r}, not {self.task!r}"
                )
        ids = [result.exp_id for result in self.results if result.provenance.role != "reference"]
        for exp_id in ids:
            if ids.count(exp_id) > 1:
                raise ValueError(f"{exp_id or 'a task without an experiment'} has two results")
        if not self.candidates:
            raise ValueError("no result has the role candidate")
        return self

    @property
    def candidates(self) -> tuple[Result, ...]:
        """The results that the task's lines bind (role `candidate`)."""
        return tuple(result for result in self.results if result.provenance.role == "candidate")

    def references_of(self, baseline: Result) -> tuple[Result, ...]:
        """The files of a baseline, measured beside it in other float precisions."""
        return tuple(
            result
            for result in self.results
            if result.provenance.role == "reference"
            and result.provenance.artifacts == baseline.provenance.artifacts
        )


def _agree(record: Record, field: str, source: str, expected: float | None) -> None:
    value: float | None = getattr(record, field)
    if value is None and expected is None:
        return
    if value is None or expected is None:
        raise ValueError(f"{field} is {value} and {source} is {expected}: give both or neither")
    if not math.isclose(value, expected, rel_tol=_RELATIVE_TOLERANCE, abs_tol=1e-12):
        raise ValueError(f"{field} is {value:.10g}, but {source} is {expected:.10g}")
