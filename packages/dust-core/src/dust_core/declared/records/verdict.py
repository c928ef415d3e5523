"""Verdicts: whether a result meets a line. dust-eval computes them; result files hold them."""

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from dust_core.declared.records.base import Frozen, Text
from dust_core.declared.records.provenance import Provenance
from dust_core.declared.specs.models.gates import METRICS, Op, meets

Status = Literal["pass", "fail", "inconclusive"]

SAMPLED = frozenset(name for name, metric in METRICS.items() if metric.sampled)
"""Metrics that are sampled: value and interval must be on one side of the line."""


class Interval(Frozen):
    """A paired bootstrap interval (Efron & Tibshirani, 1993, chapters 13 and 14)."""

    low: float
    high: float
    confidence: float = Field(gt=0, lt=1, description="Coverage that it can claim", examples=[0.95])
    resamples: int = Field(ge=1)
    seed: int = Field(ge=0)
    samples: int = Field(ge=1, description="Pairs or turns that were resampled")
    method: Literal["percentile", "BCa"] = Field(
        default="percentile", description="How its ends are computed from the resamples"
    )
    groups: int | None = Field(
        default=None,
        ge=1,
        description="Places whose pairs were drawn together; null where each sample was drawn "
        "by itself",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"interval [{self.low:g}, {self.high:g}] begins above its end")
        return self


class Effect(Frozen):
    """One metric of a candidate and of its baseline, and the change between them."""

    metric: Text
    candidate: float
    baseline: float
    change: float | None = Field(
        description="Drop or reduction, in the unit of the line; null where the baseline is 0"
    )
    interval: Interval | None
    against: Text | None = Field(
        default=None, description="Precision of the baseline, where it is not that of the record"
    )


class Verdict(Frozen):
    """Pass, fail or inconclusive, with value, line, margin, interval and reason."""

    task: Text
    gate: Text = Field(description="Name of the line in gates.yaml")
    exp_id: Text | None = Field(description="null where the task has no experiment or no result")
    status: Status
    metric: Text
    op: Op
    line: float
    unit: Text
    value: float | None = Field(description="null where it could not be computed")
    margin: float | None = Field(description="Distance from the line; negative beyond it")
    interval: Interval | None
    baseline: Text | None = Field(description="Experiment id of the baseline")
    reason: Text | None = Field(description="Why, for everything but a plain pass")
    beside: tuple[Effect, ...] = Field(description="Other metrics, reported but not bound")
    other_pictures: Text | None = Field(
        default=None,
        description="What the interval of a quality line says of other pictures, and why it does "
        "not decide",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.status != "pass" and self.reason is None:
            raise ValueError(f"{self.status} without a reason")
        if self.status == "pass" and self.value is None:
            raise ValueError("pass without a value")
        return self


def status_of(value: float, op: Op, line: float, *, doubted: bool) -> Status:
    """The status of a verdict: the only place where it is decided.

    Args:
        value, op, line: what the line binds, and the line.
        doubted: whether there is a reason for the value to decide nothing.
    """
    if doubted:
        return "inconclusive"
    return "pass" if meets(value, op, line) else "fail"


def straddles(interval: Interval | None, value: float, op: Op, line: float) -> bool:
    """Whether a sampled value and both ends of its interval are not all on one side of a line."""
    if interval is None:
        return True
    return len({meets(figure, op, line) for figure in (interval.low, value, interval.high)}) > 1


def uncommitted(provenance: Provenance) -> str | None:
    """Why figures that may be quoted do not decide, and what to do; None where they do.

    What ran is known only from a commit, and approved only where a protected branch has it.
    """
    task = provenance.task
    if provenance.draft:
        return f"a draft of {task} ran: have its specs approved, and run it again without --draft"
    if provenance.dirty:
        return (
            f"{task} ran in a working tree that differs from its commit: commit, remove or ignore "
            "what 'git status' lists, and run it again"
        )
    return None


def overall(verdicts: Iterable[Verdict]) -> Status | None:
    """The worst status: fail, then inconclusive, then pass; None if there is no verdict."""
    present = {verdict.status for verdict in verdicts}
    worst_first: tuple[Status, ...] = ("fail", "inconclusive", "pass")
    return next((status for status in worst_first if status in present), None)
