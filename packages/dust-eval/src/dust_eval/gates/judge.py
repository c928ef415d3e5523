"""The verdict of a line on a result: pass, fail or inconclusive, a pure function of both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dust_core.declared.records import Result, Status, Verdict, status_of, uncommitted
from dust_core.declared.specs.models import Gate
from dust_eval.gates.bootstrap import Resampling
from dust_eval.gates.comparability import differences
from dust_eval.gates.measures import (
    BoundValue,
    MissingMeasurement,
    measure_absolute,
    measure_relative,
)

_LONGEST_REASON = 2000
_BESIDE: dict[str, str] = {"<=": "above", ">=": "below", "==": "not"}
"""Where a value lies that misses a line."""


@dataclass(frozen=True, slots=True)
class GateLine:
    """A line of gates.yaml as it applies to a task.

    Attributes:
        task: the task's id.
        spec_digest: digest of the task in the present specs.
        name: the line's name in gates.yaml.
        gate: the line.
        resampling: how the workload's protocol draws intervals.
        quotable: whether the profile's figures may be quoted.
    """

    task: str
    spec_digest: str
    name: str
    gate: Gate
    resampling: Resampling
    quotable: bool = True


def judge(
    line: GateLine,
    candidate: Result | None,
    baseline: Result | None = None,
    unproven: Sequence[str] = (),
    beside: Sequence[Result] = (),
) -> Verdict:
    """Judge a candidate by a line.

    A line with a baseline binds a drop or a reduction relative to it, in percent. It is
    inconclusive where the two were not measured alike or the baseline is 0. The value decides on
    quality, because the whole workload is measured. Latency is a sample: the verdict is
    inconclusive where the interval of its reduction straddles the line (docs/adr/020). A line
    without a baseline binds a quantity that the task measured. A value fails if it was not
    measured, was measured for another version of the spec, or is not a finite number.

    Whatever its value, a result decides nothing where it is not proven. Where figures may be
    quoted, it decides nothing if a draft or a dirty working tree was measured.

    Args:
        line: the requirement.
        candidate: the result that the line binds; None if it does not exist.
        baseline: the result of the line's baseline; None if it does not exist or is not needed.
        unproven: why the candidate is not proven, each with what to do; empty where it is.
        beside: the baseline's network in other float precisions, timed in the same turns.

    Returns:
        The verdict; the same arguments always give the same one.
    """
    gate = line.gate
    if candidate is None:
        return _verdict(line, None, None, "fail", no_result(line.task))
    if candidate.provenance.spec_digest != line.spec_digest:
        reason = f"the result is of another version of {line.task}: run it again"
        return _verdict(line, candidate, None, "fail", reason)
    verdict = _by_figures(line, candidate, baseline if gate.baseline else None, beside)
    doubts = list(unproven)
    if line.quotable:
        used = [candidate, *([baseline] if baseline and gate.baseline else [])]
        doubts += filter(None, (uncommitted(result.provenance) for result in used))
    if not doubts:
        return verdict
    # The figures stay for the reader, and what they would give.
    reason = "; ".join(dict.fromkeys([*doubts, *([verdict.reason] if verdict.reason else [])]))
    decided: dict[str, object] = {"status": "inconclusive", "reason": _shortened(reason)}
    return verdict.model_copy(update=decided | {"other_pictures": None})


def no_result(task: str) -> str:
    """The reason of a verdict on a task that was never measured here."""
    return f"{task} has no result"


def is_absent(verdict: Verdict) -> bool:
    """Whether its task was never measured here."""
    return verdict.reason == no_result(verdict.task)


def lacks_a_result(verdict: Verdict) -> bool:
    """Whether its task or the baseline of that was never measured here."""
    return verdict.value is None and (verdict.reason or "").endswith(no_result(""))


def _shortened(reason: str) -> str:
    """A reason of at most 2000 characters, as a verdict holds it."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 3]}..."


def _by_figures(
    line: GateLine, candidate: Result, baseline: Result | None, beside: Sequence[Result]
) -> Verdict:
    """The verdict that the figures give."""
    gate = line.gate
    try:
        if gate.baseline is None:
            bound = measure_absolute(gate, candidate)
        elif baseline is None:
            reason = no_result(f"the baseline {gate.baseline}")
            return _verdict(line, candidate, None, "fail", reason)
        elif unlike := differences(candidate, baseline):
            return _verdict(line, candidate, baseline, "inconclusive", "; ".join(unlike))
        else:
            bound = measure_relative(gate, candidate, baseline, line.resampling, beside)
    except MissingMeasurement as missing:
        return _verdict(line, candidate, baseline, "fail", str(missing))
    except ZeroDivisionError:
        reason = "the baseline is 0, so the change has no percentage"
        return _verdict(line, candidate, baseline, "inconclusive", reason)
    if not math.isfinite(bound.value):
        reason = f"{gate.metric} is {bound.value}, which is not a finite number"
        return _verdict(line, candidate, baseline, "fail", reason)
    status = status_of(bound.value, gate.op, gate.value, doubted=bound.doubt is not None)
    why = bound.doubt
    if status == "fail":
        value, asked = (quantity_text(part, gate.unit) for part in (bound.value, gate.value))
        named = "rank " if gate.unit == "rank" else ""
        why = f"{named}{value} is {_BESIDE[gate.op]} {asked}"
    return _verdict(line, candidate, baseline, status, why, bound)


def quantity_text(value: float, unit: str, form: str = ".4g") -> str:
    """A quantity with its unit; counts, ranks and yes or no are bare numbers."""
    return f"{value:{form}} %" if unit == "%" else f"{value:{form}}"


def _verdict(
    line: GateLine,
    candidate: Result | None,
    baseline: Result | None,
    status: Status,
    reason: str | None,
    bound: BoundValue | None = None,
) -> Verdict:
    gate = line.gate
    return Verdict(
        task=line.task,
        gate=line.name,
        exp_id=candidate.exp_id if candidate else None,
        status=status,
        metric=gate.metric,
        op=gate.op,
        line=gate.value,
        unit=gate.unit,
        value=bound.value if bound else None,
        margin=_margin(gate, bound.value) if bound else None,
        interval=bound.interval if bound else None,
        baseline=baseline.exp_id if baseline and gate.baseline else None,
        reason=reason,
        beside=bound.beside if bound else (),
        other_pictures=bound.other_pictures if bound else None,
    )


def _margin(gate: Gate, value: float) -> float:
    """Distance to the line in its unit: positive on the good side, negative beyond it."""
    match gate.op:
        case "<=":
            return gate.value - value
        case ">=":
            return value - gate.value
        case "==":
            return 0.0 - abs(value - gate.value)
