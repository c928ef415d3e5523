"""The ablations of P5 as values: the networks beside each other, the hypothesis, its outcome."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import Interval, Result, ResultFile
from dust_core.declared.specs.models.ablation import TEACHER, AblationTask
from dust_core.declared.specs.names import BASE, parse_exp_id
from dust_eval.gates import drop_percent, p50_reduction_interval, reduction_percent, resampling
from dust_eval.gates.bootstrap import Resampling, drop_interval
from dust_eval.gates.claims import (
    METRIC,
    ClaimOutcome,
    Outcome,
    claim_outcomes,
    hypothesis_outcome,
    networks_by_name,
)
from dust_eval.gates.stage import TaskVerdicts

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask


@dataclass(frozen=True)
class Effect:
    """A change in percent and its interval."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Bar:
    """One network of an ablation.

    Attributes:
        name: as claims name it; of the base also the base task.
        is_base: whether it has the base's parameters.
        drop: of delta1 against the teacher; None where it was not scored.
        saved: median latency saved against the base; None where it was not timed, and of the base.
    """

    name: str
    is_base: bool
    drop: Effect | None
    saved: Effect | None


@dataclass(frozen=True)
class AblationView:
    """An executed ablation.

    Attributes:
        task, title, hypothesis: as in the specs.
        base: the base task.
        bars: the base and the variants, in order.
        claims: the outcome of each claim.
        taken: for each network that was taken from an executed experiment, a sentence.
    """

    task: str
    title: str
    hypothesis: str
    base: str
    bars: tuple[Bar, ...]
    claims: tuple[ClaimOutcome, ...]
    taken: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """What came of the hypothesis."""
        return hypothesis_outcome(self.claims)


def ablation_view(
    task: "ResolvedTask", file: ResultFile | None, judged: TaskVerdicts
) -> AblationView | None:
    """The ablation of a task; None for a task of another kind, and where it has no result."""
    own = task.task
    if file is None or not isinstance(own, AblationTask):
        return None
    return AblationView(
        task=task.id,
        title=own.title,
        hypothesis=own.hypothesis,
        base=own.base,
        bars=tuple(_bars(task, own, file)),
        claims=claim_outcomes(task, file, judged),
        taken=tuple(_taken(file)),
    )


def _bars(task: "ResolvedTask", own: AblationTask, file: ResultFile) -> Iterator[Bar]:
    networks = networks_by_name(file)
    plan, base, teacher = resampling(task.workload), networks.get(BASE), networks.get(TEACHER)
    names = [name.variant for name in own.variant_experiments()]
    for name in (BASE, *names):
        result = networks.get(name)
        if result is None or (name == BASE and _variant(result) != BASE):
            continue  # a base that is a variant has that variant's bar
        is_base = result is base
        yield Bar(
            _label(file, result, own.base) if is_base else name,
            is_base,
            _drop(result, teacher, plan),
            None if is_base else _saved(result, base, plan),
        )


def _label(file: ResultFile, result: Result, base: str) -> str:
    """The name of the base's bar: it is the base task's own network only where that was taken."""
    name, taken = _variant(result), file.extra.get("taken")
    if name == BASE:
        return f"{base}, the base"
    same = isinstance(taken, dict) and str(result.exp_id) in taken
    return f"{name} = {base}" if same else f"{name}, as {base}"


def _variant(result: Result) -> str:
    return getattr(parse_exp_id(str(result.exp_id)), "variant", "")


def _drop(result: Result, teacher: Result | None, plan: Resampling) -> Effect | None:
    ours = result.provenance.per_pair.get(METRIC)
    theirs = teacher.provenance.per_pair.get(METRIC) if teacher else None
    if ours is None or not theirs or not sum(theirs):
        return None
    value = drop_percent(METRIC, sum(ours) / len(ours), sum(theirs) / len(theirs))
    return Effect(value, drop_interval(METRIC, ours, theirs, plan))


def _saved(result: Result, base: Result | None, plan: Resampling) -> Effect | None:
    ours, theirs = (side.provenance.latency if side else None for side in (result, base))
    if ours is None or theirs is None or result.record is None or base is None:
        return None
    p50, base_p50 = result.record.t_pair_p50_ms, base.record.t_pair_p50_ms if base.record else None
    if p50 is None or base_p50 is None:
        return None
    interval = p50_reduction_interval(ours.candidate_ms, theirs.candidate_ms, plan)
    return Effect(reduction_percent(p50, base_p50), interval)


def _taken(file: ResultFile) -> Iterator[str]:
    taken = file.extra.get("taken")
    for exp_id, source in taken.items() if isinstance(taken, dict) else ():
        if isinstance(source, dict):
            yield (
                f"{exp_id} is the network of {source['task']} ({source['exp_id']}), taken by its "
                f"SHA-256 {str(source['sha256'])[:12]}."
            )
