"""The table of records: the newest measurement of every experiment in each precision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dust_core.declared.records import MeasuredDevice, Record, Result, ResultFile
from dust_eval.report.comparison import baseline_of


@dataclass(frozen=True)
class RecordRow:
    """One row of the table of records: the newest of an experiment in a precision.

    Attributes:
        task: the task that measured it.
        against: the experiment that it was timed in turn with; None without one.
        share: its median latency in percent of that one's.
    """

    record: Record
    role: str
    precision: str
    device: MeasuredDevice
    reasons: Mapping[str, str]
    task: str
    against: str | None
    share: float | None


def measurements(files: Iterable[ResultFile]) -> tuple[RecordRow, ...]:
    """Candidates and references; of the same network in the same precision, the newest."""
    rows: dict[tuple[str, str, str], RecordRow] = {}
    for file, result in ((own, result) for own in files for result in own.results):
        record, proof = result.record, result.provenance
        if record is None or proof.role == "baseline":
            continue
        precision = proof.runtime.precision if proof.runtime else "not executed"
        against, share = _against(file, result)
        row = RecordRow(
            record=record,
            role=proof.role,
            precision=precision,
            device=proof.device,
            reasons=proof.reasons,
            task=file.task,
            against=against,
            share=share,
        )
        key = (record.exp_id, precision, proof.role)
        if key not in rows or record.datetime > rows[key].record.datetime:
            rows[key] = row
    return tuple(rows.values())


def _against(file: ResultFile, result: Result) -> tuple[str | None, float | None]:
    """The experiment that a result was timed in turn with, and its median in percent of that."""
    latency = result.provenance.latency
    named = result.provenance.baselines.get(latency.baseline or "") if latency else None
    baseline = baseline_of(file, named.exp_id) if named else None
    if baseline is None or baseline.record is None or result.record is None:
        return None, None
    ours, theirs = result.record.t_pair_p50_ms, baseline.record.t_pair_p50_ms
    if ours is None or not theirs:
        return None, None
    return str(baseline.exp_id), 100 * ours / theirs
