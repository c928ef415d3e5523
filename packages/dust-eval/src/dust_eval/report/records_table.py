"""The table of records: the newest measurement of every experiment in each precision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dust_core.declared.records import MeasuredDevice, Record, ResultFile


@dataclass(frozen=True)
class RecordRow:
    """One row of the table of records: the newest of an experiment in a precision."""

    record: Record
    role: str
    precision: str
    device: MeasuredDevice
    reasons: Mapping[str, str]


def measurements(files: Iterable[ResultFile]) -> tuple[RecordRow, ...]:
    """Candidates and references; of the same network in the same precision, the newest."""
    rows: dict[tuple[str, str, str], RecordRow] = {}
    for result in (result for file in files for result in file.results):
        record, proof = result.record, result.provenance
        if record is None or proof.role == "baseline":
            continue
        precision = proof.runtime.precision if proof.runtime else "not executed"
        row = RecordRow(record, proof.role, precision, proof.device, proof.reasons)
        key = (record.exp_id, precision, proof.role)
        if key not in rows or record.datetime > rows[key].record.datetime:
            rows[key] = row
    return tuple(rows.values())
