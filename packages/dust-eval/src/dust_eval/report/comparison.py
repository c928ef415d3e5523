"""Candidates beside the teacher that was measured in the same process."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dust_core.declared.records import Interval, Record, Result, ResultFile


@dataclass(frozen=True)
class Comparison:
    """A candidate against the teacher, measured in one process.

    Attributes:
        task: the task that measured both.
        candidate, teacher: their records.
        pairs: delta1 of teacher and candidate by pair, in the workload's order.
        interval: of the drop of delta1 in percent, if a line has it.
    """

    task: str
    candidate: Record
    teacher: Record
    pairs: tuple[tuple[float, float], ...]
    interval: Interval | None

    @property
    def saved(self) -> float | None:
        """Median latency saved, in percent of the teacher's; None where either was not timed."""
        own, other = self.candidate.t_pair_p50_ms, self.teacher.t_pair_p50_ms
        return None if own is None or other is None else 100 * (1 - own / other)

    @property
    def drop(self) -> float | None:
        """Drop of delta1, in percent of the teacher's; negative where the candidate is better."""
        own, other = self.candidate.delta1, self.teacher.delta1
        return None if own is None or not other else 100 * (1 - own / other)


def compared(files: Iterable[ResultFile], teacher: str) -> Iterator[Comparison]:
    """Each candidate that was measured beside the network of the task `teacher`."""
    for file in files:
        for one in file.candidates:
            reference = one.provenance.baselines.get(teacher)
            other = _baseline(file, reference.exp_id) if reference else None
            if one.record is None or other is None or other.record is None:
                continue
            own, its = (r.provenance.per_pair.get("delta1", ()) for r in (one, other))
            yield Comparison(
                task=file.task,
                candidate=one.record,
                teacher=other.record,
                pairs=tuple(zip(its, own, strict=False)),
                interval=next(
                    (
                        verdict.interval
                        for verdict in file.verdicts
                        if verdict.metric == "delta1_drop" and verdict.exp_id == one.exp_id
                    ),
                    None,
                ),
            )


def _baseline(file: ResultFile, exp_id: str) -> Result | None:
    beside = (one for one in file.results if one.provenance.role == "baseline")
    return next((one for one in beside if one.exp_id == exp_id), None)
