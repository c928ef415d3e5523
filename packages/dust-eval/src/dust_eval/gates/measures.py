"""The quantity that a line binds, computed from results."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dust_core.declared.records import (
    QUALITY_METRICS,
    Effect,
    Interval,
    Latency,
    Result,
    percentile,
    straddles,
)
from dust_core.declared.specs.models import Gate
from dust_core.declared.specs.models.gates import METRICS
from dust_eval.gates.bootstrap import Resampling, drop_interval, p50_reduction_interval
from dust_eval.gates.effects import drop_percent, reduction_percent


class MissingMeasurement(Exception):
    """A line needs a figure that was not measured; the message names it."""


@dataclass(frozen=True, slots=True)
class BoundValue:
    """What a line binds.

    Attributes:
        value: in the unit of the line.
        interval: the interval of the value, where it was measured more than once.
        beside: other figures for the reader, which no line binds.
        doubt: why the value decides nothing; None where it decides.
        other_pictures: the meaning of the interval for other pictures, where it does not decide.
    """

    value: float
    interval: Interval | None = None
    beside: tuple[Effect, ...] = ()
    doubt: str | None = None
    other_pictures: str | None = None


def measure_absolute(gate: Gate, candidate: Result) -> BoundValue:
    """A quantity that the task measured itself, such as `nan_count`.

    Raises:
        MissingMeasurement: the task did not measure it.
    """
    value = candidate.provenance.quantities.get(gate.metric)
    if value is None:
        raise MissingMeasurement(f"{gate.metric} was not measured")
    return BoundValue(value)


def measure_relative(
    gate: Gate,
    candidate: Result,
    baseline: Result,
    plan: Resampling,
    beside: Sequence[Result] = (),
) -> BoundValue:
    """A drop or a reduction relative to the baseline, in percent.

    Args:
        beside: the baseline's network in other float precisions, timed in the same turns.

    Raises:
        MissingMeasurement: a figure that it needs is null in one of the two records.
        ZeroDivisionError: the baseline's figure is 0, so the change has no percentage.
    """
    fields = METRICS[gate.metric].fields
    if METRICS[gate.metric].sampled:
        return _latency(gate, candidate, baseline, plan, beside)
    if fields[0] in QUALITY_METRICS:
        return _quality(gate, candidate, baseline, plan)
    return _resources(fields, candidate, baseline)


def _quality(gate: Gate, candidate: Result, baseline: Result, plan: Resampling) -> BoundValue:
    """The drop of the bound metric, with the drops of the other quality metrics beside it."""
    (bound,) = METRICS[gate.metric].fields
    effects = {}
    for metric in QUALITY_METRICS:
        ours, theirs = _both(metric, candidate, baseline)
        effects[metric] = Effect(
            metric=metric,
            candidate=ours,
            baseline=theirs,
            change=_drop_or_none(metric, ours, theirs),
            interval=drop_interval(
                metric,
                candidate.provenance.per_pair[metric],
                baseline.provenance.per_pair[metric],
                plan,
            ),
        )
    effect = effects.pop(bound)
    value = drop_percent(bound, effect.candidate, effect.baseline)
    pairs = len(candidate.provenance.per_pair[bound])
    return BoundValue(
        value,
        effect.interval,
        tuple(effects.values()),
        other_pictures=_other_pictures(gate, value, effect.interval, pairs, plan),
    )


def _other_pictures(
    gate: Gate, value: float, interval: Interval | None, pairs: int, plan: Resampling
) -> str:
    """Why the interval of a quality line does not decide, and what it means instead."""
    places = math.ceil(pairs / plan.together)
    line = f"{gate.value:g} {gate.unit}"
    if places == 1:
        said = f"{pairs} pairs of one place say nothing of other pictures"
    elif interval is None:
        said = "a place whose baseline is 0 has no drop, so nothing is said of other pictures"
    elif straddles(interval, value, gate.op, gate.value):
        said = f"{pairs} pairs of {places} places cannot tell it from {line} on other pictures"
    elif interval.confidence < plan.confidence:
        sure = f"{100 * interval.confidence:.3g} %"
        said = f"for other pictures {places} places make it {sure} sure at most"
    elif gate.met_by(value):
        said = "it holds for other pictures too"
    else:
        said = "it is missed on other pictures too"
    return f"decided by its value on the whole workload; {said}"


def _latency(
    gate: Gate,
    candidate: Result,
    baseline: Result,
    plan: Resampling,
    beside: Sequence[Result],
) -> BoundValue:
    """The reduction of the median latency, from the turns of both in one process."""
    _both("t_pair_p50_ms", candidate, baseline)
    turns = candidate.provenance.latency
    if turns is None or turns.baseline_ms is None or turns.baseline != gate.baseline:
        raise MissingMeasurement(
            f"latency was not measured in turn with {gate.baseline}: a ratio needs both in one "
            "process"
        )
    floats, baseline_ms = None, turns.baseline_ms
    if METRICS[gate.metric].any_float:
        floats, baseline_ms = _fastest_float(gate, turns, beside)
    interval = p50_reduction_interval(turns.candidate_ms, baseline_ms, plan)
    ours, theirs = percentile(turns.candidate_ms, 50), percentile(baseline_ms, 50)
    value = reduction_percent(ours, theirs)
    effect = Effect(
        metric="t_pair_p50_ms",
        candidate=ours,
        baseline=theirs,
        change=value,
        interval=interval,
        against=floats,
    )
    doubt = None
    if interval is None:
        doubt = f"{len(turns.candidate_ms)} turn has no interval, which a latency needs"
    elif straddles(interval, value, gate.op, gate.value):
        doubt = f"the interval of the reduction straddles the line of {gate.value:g} %"
    return BoundValue(value, interval, (effect,), doubt)


def _fastest_float(
    gate: Gate, turns: Latency, beside: Sequence[Result]
) -> tuple[str, tuple[float, ...]]:
    """The float precision in which the baseline's network is fastest, and its turns."""
    timed = {"fp32": turns.baseline_ms or ()}
    for result in beside:
        ran = result.provenance
        if ran.runtime is not None and ran.latency is not None:
            timed.setdefault(ran.runtime.precision, ran.latency.candidate_ms)
    if not beside:
        raise MissingMeasurement(
            f"the network of {gate.baseline} was not timed in another float precision than fp32"
        )
    if len({len(ms) for ms in timed.values()}) > 1:
        raise MissingMeasurement(
            f"{' and '.join(timed)} of {gate.baseline} were not timed in the same turns"
        )
    return min(timed.items(), key=lambda named: percentile(named[1], 50))


def _resources(fields: tuple[str, ...], candidate: Result, baseline: Result) -> BoundValue:
    """The largest of the reductions of record fields, with all of them beside it."""
    changes, effects = [], []
    for field in fields:
        ours, theirs = _both(field, candidate, baseline)
        changes.append(reduction_percent(ours, theirs))
        effects.append(
            Effect(metric=field, candidate=ours, baseline=theirs, change=changes[-1], interval=None)
        )
    return BoundValue(max(changes), beside=tuple(effects))


def _drop_or_none(metric: str, candidate: float, baseline: float) -> float | None:
    """The drop in percent for a reader; None where the baseline is 0, or next to it."""
    try:
        drop = drop_percent(metric, candidate, baseline)
    except ZeroDivisionError:
        return None
    return drop if math.isfinite(drop) else None


def _both(field: str, candidate: Result, baseline: Result) -> tuple[float, float]:
    """A record field of both results, candidate first."""
    values: list[float] = []
    for owner, result in (("candidate", candidate), ("baseline", baseline)):
        value = getattr(result.record, field, None)
        if value is None:
            why = result.provenance.reasons.get(field, "there is no record")
            raise MissingMeasurement(f"{field} of the {owner} was not measured: {why}")
        values.append(value)
    return values[0], values[1]
