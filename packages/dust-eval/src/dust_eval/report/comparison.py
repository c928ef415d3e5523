"""Candidates, compared with the teacher that was measured in the same process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dust_core.declared.records import Interval, Record, Result, ResultFile, Verdict
from dust_eval.gates import drop_percent, reduction_percent

METRIC = "delta1"
"""The quality metric that the page compares pair by pair."""


@dataclass(frozen=True)
class Comparison:
    """A candidate against the teacher, measured in one process.

    Attributes:
        task: the task that measured both.
        candidate, teacher: their records.
        pairs: delta1 of teacher and candidate by pair, in the workload's order.
        interval: the interval of the drop of delta1 in percent, if a line has one.
    """

    task: str
    candidate: Record
    teacher: Record
    pairs: tuple[tuple[float, float], ...]
    interval: Interval | None

    @property
    def saved(self) -> float | None:
        """Median latency saved, in percent of the teacher's; None where either was not timed."""
        ours, theirs = self.candidate.t_pair_p50_ms, self.teacher.t_pair_p50_ms
        return None if ours is None or theirs is None else reduction_percent(ours, theirs)

    @property
    def drop(self) -> float | None:
        """Drop of delta1, in percent of the teacher's; negative where the candidate is better."""
        ours, theirs = self.candidate.delta1, self.teacher.delta1
        return None if ours is None or not theirs else drop_percent(METRIC, ours, theirs)


def compared(
    results: Mapping[str, ResultFile], teacher: str, verdicts: Mapping[str, Sequence[Verdict]]
) -> Iterator[Comparison]:
    """Each candidate that was measured together with the network of the task `teacher`.

    Args:
        results: result files by task.
        verdicts: the verdicts on each task's candidates, by task.
    """
    for task, file in results.items():
        for result in file.candidates:
            reference = result.provenance.baselines.get(teacher)
            baseline = baseline_of(file, reference.exp_id) if reference else None
            if result.record is None or baseline is None or baseline.record is None:
                continue
            ours, theirs = (side.provenance.per_pair.get(METRIC, ()) for side in (result, baseline))
            intervals = (
                verdict.interval
                for verdict in verdicts[task]
                if verdict.metric == f"{METRIC}_drop" and verdict.exp_id == result.exp_id
            )
            yield Comparison(
                task=task,
                candidate=result.record,
                teacher=baseline.record,
                pairs=tuple(zip(theirs, ours, strict=False)),
                interval=next(intervals, None),
            )


def baseline_of(file: ResultFile, exp_id: str) -> Result | None:
    """The result of a baseline that a task measured beside its candidates; None without one."""
    beside = (result for result in file.results if result.provenance.role == "baseline")
    return next((result for result in beside if result.exp_id == exp_id), None)
