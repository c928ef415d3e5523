"""Whether each figure of a result follows from what it is said to be measured from."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dust_core.declared.records.proof.evidence import Evidence, Loc, Stored, Unproven
from dust_core.declared.records.record import utc_text
from dust_core.declared.records.result import Result

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

CLOCK_ERROR = dt.timedelta(minutes=10)
"""How far the clocks of two machines may differ."""

_SAME = {"rel_tol": 1e-9, "abs_tol": 0.0}


def figures_without_source(evidence: Evidence) -> Iterator[Unproven]:
    """Counts, samples, throughput, seeds and times that contradict their sources."""
    for task, stored in evidence.current():
        for index, result in enumerate(stored.file.results):
            at = ("results", index)
            yield from _pairs(task, stored, result, at)
            yield from _turns(task, stored, result, at)
            yield from _record(task, stored, result, at)
            if result.provenance.finished > evidence.now + CLOCK_ERROR:
                says = f"finished: {utc_text(result.provenance.finished)}"
                place = (*at, "provenance", "finished")
                yield stored.unproven("source", place, says, "a time that is past")


def _pairs(task: "ResolvedTask", stored: Stored, result: Result, at: Loc) -> Iterator[Unproven]:
    """A network is scored on the whole workload by every metric of the protocol, or not at all."""
    scored = result.provenance.per_pair
    if not scored:
        return
    here = (*at, "provenance", "per_pair")
    for metric in task.workload.quality.metrics:
        if metric not in scored:
            yield stored.unproven("source", here, f"no values of {metric}", "every quality metric")
            return
    pairs = task.profile.workload_pairs
    for name, values in scored.items():
        if len(values) != pairs:
            expected = f"{pairs}, the pairs that {task.profile_name} measures"
            yield stored.unproven("source", (*here, name), f"{len(values)} pairs", expected)
            return


def _turns(task: "ResolvedTask", stored: Stored, result: Result, at: Loc) -> Iterator[Unproven]:
    """As many turns as the protocol demands; the baseline's are those that it has itself."""
    latency = result.provenance.latency
    if latency is None:
        return
    here = (*at, "provenance", "latency")
    repeats = task.workload.timing.repeats
    if len(latency.candidate_ms) != repeats:
        says, expected = f"{len(latency.candidate_ms)} turns", f"{repeats}, as the protocol says"
        yield stored.unproven("source", (*here, "candidate_ms"), says, expected)
    if latency.baseline is None:
        return
    reference = result.provenance.baselines[latency.baseline]
    timed = [
        baseline.provenance.latency
        for _, baseline in stored.with_role("baseline")
        if baseline.exp_id == reference.exp_id
    ]
    samples = timed[0].candidate_ms if timed and timed[0] else None
    if latency.baseline_ms != samples:
        yield stored.unproven(
            "source",
            (*here, "baseline_ms"),
            f"samples of {latency.baseline}",
            f"those of the result of {reference.exp_id} that was timed in turn in this file",
        )


def _record(task: "ResolvedTask", stored: Stored, result: Result, at: Loc) -> Iterator[Unproven]:
    record = result.record
    if record is None:
        return
    if record.seed != task.workload.seed:
        expected = f"{task.workload.seed}, the seed of the workload"
        yield stored.unproven("source", (*at, "record", "seed"), f"seed: {record.seed}", expected)
    if record.datetime != result.provenance.finished:
        says = f"datetime: {utc_text(record.datetime)}"
        expected = f"{utc_text(result.provenance.finished)}, when the measurement finished"
        yield stored.unproven("source", (*at, "record", "datetime"), says, expected)
    rate, median = record.pairs_per_sec, record.t_pair_p50_ms
    due = None if median is None else 1000 / median
    agrees = rate == due or (rate and due and math.isclose(rate, due, **_SAME))
    if not agrees:
        expected = "null, as no pair was timed" if due is None else f"{due:.6g}, from t_pair_p50_ms"
        place = (*at, "record", "pairs_per_sec")
        says = "null" if rate is None else f"{rate:.6g}"
        yield stored.unproven("source", place, f"pairs_per_sec: {says}", expected)
