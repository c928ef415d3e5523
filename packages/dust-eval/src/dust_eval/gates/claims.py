"""Whether the claims of a hypothesis held, from the figures of an ablation's result file.

A claim is decided by its value and interval together. It held if both are on its side, it is
refuted if both are on the other side, and else it is undecided (docs/adr/026).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dust_core.declared.records import Interval, Result, ResultFile, percentile
from dust_core.declared.specs.models.ablation import TEACHER, AblationTask
from dust_core.declared.specs.names import BASE, AblationName, parse_exp_id
from dust_eval.gates.bootstrap import (
    Resampling,
    drop_interval,
    drop_reduction_interval,
    p50_reduction_interval,
    resampling,
)
from dust_eval.gates.effects import drop_percent, reduction_percent
from dust_eval.gates.render import interval_text
from dust_eval.gates.stage import TaskVerdicts

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask
    from dust_core.declared.specs.models.ablation import Claim

Outcome = Literal["held", "refuted", "undecided"]

METRIC = "delta1"


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """What the figures say of a claim.

    Attributes:
        claim: as the specs declare it.
        value: its metric in percent; None where it has no value.
        interval: of the value, for pictures of other places, or over turns.
        outcome: what follows.
        reason: why it is undecided; None where it is decided.
    """

    claim: "Claim"
    value: float | None
    interval: Interval | None
    outcome: Outcome
    reason: str | None = None


def hypothesis_outcome(claims: Sequence[ClaimOutcome]) -> Outcome:
    """Refuted if a claim is, held if all held, else undecided; undecided without a claim."""
    outcomes = {claim.outcome for claim in claims}
    if "refuted" in outcomes:
        return "refuted"
    return "held" if outcomes == {"held"} else "undecided"


def claim_outcomes(
    task: "ResolvedTask", file: ResultFile, judged: TaskVerdicts
) -> tuple[ClaimOutcome, ...]:
    """Judge every claim of an ablation by its result file; none for another task.

    Args:
        task: the task under the present specs.
        file: its result.
        judged: the verdicts on it. What is no evidence by its lines decides no claim.
    """
    if not isinstance(task.task, AblationTask):
        return ()
    networks, plan = networks_by_name(file), resampling(task.workload)
    missed = (verdict.reason for verdict in judged.verdicts if verdict.status != "pass")
    doubt = next(missed, None)
    return tuple(_judge(claim, networks, plan, doubt) for claim in task.task.claims)


def claim_texts(task: str, claims: Sequence[ClaimOutcome]) -> Iterator[str]:
    """Lines for a terminal: the outcome of a hypothesis, and that of each claim; none without."""
    if claims:
        yield f"{task}: the hypothesis is {hypothesis_outcome(claims)}"
    for outcome in claims:
        yield f"  {claim_text(outcome)}"


def claim_text(outcome: ClaimOutcome) -> str:
    """`delta1_drop of noLN against base: 0.5 % [0.4, 0.6] (50 %), predicted <= 1 %: held`."""
    claim = outcome.claim
    value = "no value" if outcome.value is None else f"{outcome.value:.3g} %"
    drawn = f" {interval_text(outcome.interval)}" if outcome.interval else ""
    line = f"{claim.metric} of {claim.of} against {claim.against}: {value}{drawn}"
    line += f", predicted {claim.op} {claim.value:g} %: {outcome.outcome}"
    return f"{line}: {outcome.reason}" if outcome.reason else line


def networks_by_name(file: ResultFile) -> dict[str, Result]:
    """The results of an ablation by the names that claims use: variants, `base`, `teacher`."""
    networks: dict[str, Result] = {}
    for result in file.results:
        if result.exp_id is None:
            continue
        name = parse_exp_id(result.exp_id)
        if isinstance(name, AblationName):
            networks[name.variant] = result
        elif result.provenance.role == "baseline":
            networks[TEACHER] = result
        if result.exp_id == file.extra.get("base"):
            networks[BASE] = result
    return networks


def _judge(
    claim: "Claim", networks: Mapping[str, Result], plan: Resampling, doubt: str | None
) -> ClaimOutcome:
    if absent := [name for name in (claim.of, claim.against) if name not in networks]:
        return ClaimOutcome(claim, None, None, "undecided", f"{absent[0]} was not measured")
    ours, theirs = networks[claim.of], networks[claim.against]
    try:
        match claim.metric:
            case "delta1_drop":
                value, interval = _drop(ours, theirs, plan)
            case "delta1_drop_down":
                value, interval = _drop_down(ours, theirs, networks[TEACHER], plan)
            case "t_pair_p50_down":
                value, interval = _latency(ours, theirs, plan)
    except (KeyError, ZeroDivisionError, ValueError) as error:
        return ClaimOutcome(claim, None, None, "undecided", _why(error))
    if doubt is not None:
        return ClaimOutcome(claim, value, interval, "undecided", doubt)
    return _decided(claim, value, interval)


def _decided(claim: "Claim", value: float, interval: Interval | None) -> ClaimOutcome:
    if interval is None:
        reason = "the value has no interval: one place or one turn says nothing of others"
        return ClaimOutcome(claim, value, None, "undecided", reason)
    sides = {_meets(claim, end) for end in (value, interval.low, interval.high)}
    if len(sides) > 1:
        reason = f"the interval straddles {claim.value:g} %"
        return ClaimOutcome(claim, value, interval, "undecided", reason)
    return ClaimOutcome(claim, value, interval, "held" if sides == {True} else "refuted")


def _meets(claim: "Claim", value: float) -> bool:
    match claim.op:
        case "<=":
            return value <= claim.value
        case ">=":
            return value >= claim.value
        case "<":
            return value < claim.value
        case ">":
            return value > claim.value


def _drop(ours: Result, theirs: Result, plan: Resampling) -> tuple[float, Interval | None]:
    mine, base = (_per_pair(result) for result in (ours, theirs))
    value = drop_percent(METRIC, math.fsum(mine), math.fsum(base))
    return value, drop_interval(METRIC, mine, base, plan)


def _drop_down(
    ours: Result, theirs: Result, teacher: Result, plan: Resampling
) -> tuple[float, Interval | None]:
    pairs = _per_pair(ours), _per_pair(theirs), _per_pair(teacher)
    mine, base, best = map(math.fsum, pairs)
    if best <= base:
        raise ValueError("there is no drop to lower: delta1 is not below that of the teacher")
    value = reduction_percent(best - mine, best - base)
    return value, drop_reduction_interval(*pairs, plan=plan)


def _latency(ours: Result, theirs: Result, plan: Resampling) -> tuple[float, Interval | None]:
    """The reduction of the median latency; all networks of a file were timed in turn."""
    mine, base = (_turns(result) for result in (ours, theirs))
    value = reduction_percent(percentile(mine, 50), percentile(base, 50))
    return value, p50_reduction_interval(mine, base, plan)


def _per_pair(result: Result) -> tuple[float, ...]:
    if METRIC not in result.provenance.per_pair:
        raise ValueError(f"{result.exp_id} has no {METRIC}")
    return result.provenance.per_pair[METRIC]


def _turns(result: Result) -> tuple[float, ...]:
    if result.provenance.latency is None:
        raise ValueError(f"{result.exp_id} was not timed")
    return result.provenance.latency.candidate_ms


def _why(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "the value that it is compared with is 0, so the change has no percentage"
    return "the teacher was not measured" if isinstance(error, KeyError) else str(error)
