"""The quantity that a line binds, computed from the results it is measured on."""

from dataclasses import dataclass

from dust_core.declared.records import QUALITY_METRICS, Effect, Interval, Result, percentile
from dust_core.declared.specs.models import Gate
from dust_eval.gates.bootstrap import Resampling, drop_interval, p50_reduction_interval
from dust_eval.gates.effects import drop_percent, reduction_percent


class MissingMeasurement(Exception):
    """A line needs what was not measured; the message names it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a line binds.

    Attributes:
        value: in the unit of the line.
        interval: how sure it is, where it was measured more than once.
        beside: what else the line's reader wants to see; nothing binds it.
        doubt: why the value decides nothing, None where it does.
    """

    value: float
    interval: Interval | None = None
    beside: tuple[Effect, ...] = ()
    doubt: str | None = None


def measure_absolute(gate: Gate, candidate: Result) -> Measured:
    """A quantity that the task measured itself, such as `nan_count`.

    Raises:
        MissingMeasurement: it did not.
    """
    value = candidate.provenance.quantities.get(gate.metric)
    if value is None:
        raise MissingMeasurement(f"{gate.metric} was not measured")
    return Measured(value)


def measure_relative(gate: Gate, candidate: Result, baseline: Result, plan: Resampling) -> Measured:
    """A drop or a reduction relative to the baseline, in percent.

    Raises:
        MissingMeasurement: a figure that it needs is null in one of the two records.
        ZeroDivisionError: the baseline's figure is 0, of which nothing is a percentage.
    """
    if gate.metric == "t_pair_p50_down":
        return _latency(gate, candidate, baseline, plan)
    if gate.metric == "size_or_params_down":
        return _resources(candidate, baseline)
    return _quality(gate.metric.removesuffix("_drop"), candidate, baseline, plan)


def _quality(bound: str, candidate: Result, baseline: Result, plan: Resampling) -> Measured:
    """The drop of the bound metric, with the drops of the other quality metrics beside it."""
    effects = {}
    for metric in QUALITY_METRICS:
        ours, theirs = _both(metric, candidate, baseline)
        effects[metric] = Effect(
            metric=metric,
            candidate=ours,
            baseline=theirs,
            change=drop_percent(metric, ours, theirs),
            interval=drop_interval(
                metric,
                candidate.provenance.per_pair[metric],
                baseline.provenance.per_pair[metric],
                plan,
            ),
        )
    primary = effects.pop(bound)
    return Measured(primary.change, primary.interval, tuple(effects.values()))


def _latency(gate: Gate, candidate: Result, baseline: Result, plan: Resampling) -> Measured:
    """The reduction of the median latency, from turns that both took in one process."""
    _both("t_pair_p50_ms", candidate, baseline)
    turns = candidate.provenance.latency
    if turns is None or turns.baseline_ms is None or turns.baseline != gate.baseline:
        raise MissingMeasurement(
            f"latency was not measured in turn with {gate.baseline}: a ratio needs both in one "
            "process"
        )
    interval = p50_reduction_interval(turns.candidate_ms, turns.baseline_ms, plan)
    ours, theirs = percentile(turns.candidate_ms, 50), percentile(turns.baseline_ms, 50)
    effect = Effect(
        metric="t_pair_p50_ms",
        candidate=ours,
        baseline=theirs,
        change=reduction_percent(ours, theirs),
        interval=interval,
    )
    doubt = None
    if interval is not None and interval.low < gate.value <= interval.high:
        doubt = f"the interval of the reduction straddles the line of {gate.value:g} %"
    return Measured(effect.change, interval, (effect,), doubt)


def _resources(candidate: Result, baseline: Result) -> Measured:
    """The larger of the reductions of file size and of parameters, with both beside it."""
    effects = []
    for field in ("size_MB", "params_M"):
        ours, theirs = _both(field, candidate, baseline)
        change = reduction_percent(ours, theirs)
        effects.append(
            Effect(metric=field, candidate=ours, baseline=theirs, change=change, interval=None)
        )
    return Measured(max(effect.change for effect in effects), beside=tuple(effects))


def _both(field: str, candidate: Result, baseline: Result) -> tuple[float, float]:
    """A record field of both results, candidate first."""
    found: list[float] = []
    for owner, result in (("candidate", candidate), ("baseline", baseline)):
        value = getattr(result.record, field, None)
        if value is None:
            why = result.provenance.reasons.get(field, "there is no record")
            raise MissingMeasurement(f"{field} of the {owner} was not measured: {why}")
        found.append(value)
    return found[0], found[1]
