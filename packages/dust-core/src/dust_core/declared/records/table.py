"""result_table.csv: a row for each experiment, a column for each of the 25 fields."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dust_core.declared.reading.faults import fault_text, model_faults
from dust_core.declared.records.record import MEASURED_FIELDS, RECORD_FIELDS, Record
from dust_core.declared.records.result import ResultFile
from dust_core.errors import DustError

NULL = "null"
_LIST_SEPARATOR = "+"


def table_records(files: Iterable[ResultFile]) -> list[Record]:
    """The last measured record of each experiment, ordered by id.

    Only candidates count: baselines and references repeat the experiments of other tasks.
    """
    latest: dict[str, Record] = {}
    for file in files:
        for result in file.candidates:
            record = result.record
            if record is None:
                continue
            known = latest.get(record.exp_id)
            if known is None or record.datetime > known.datetime:
                latest[record.exp_id] = record
    return [latest[exp_id] for exp_id in sorted(latest)]


def table_csv(records: Iterable[Record], awaited: Iterable[Mapping[str, Any]] = ()) -> str:
    """Records as CSV (RFC 4180, lines end in a newline), by id; a null is the word `null`.

    Numbers are written in full, so that reading the table gives the same records back.

    Args:
        records: the measured experiments.
        awaited: rows of experiments without a record (`awaited_rows`); their time is null.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(RECORD_FIELDS)
    rows: list[Mapping[str, Any]] = [record.model_dump(mode="json") for record in records]
    for values in sorted([*rows, *awaited], key=itemgetter("exp_id")):
        writer.writerow(_cell(values[field]) for field in RECORD_FIELDS)
    return text.getvalue()


def read_table(path: Path) -> list[Record]:
    """Read the measured experiments of a result table back.

    Raises:
        DustError: it cannot be read, its header is not the 25 fields, or a row is not a record.
    """
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _refused(f"cannot read the table: {error}", path) from error
    header = tuple(rows[0]) if rows else ()
    if header != RECORD_FIELDS:
        raise _refused(_wrong_header(header), path, line=1)
    return [
        _record(cells, path, line)
        for line, cells in enumerate(rows[1:], start=2)
        if not is_awaited(cells)
    ]


def is_awaited(cells: Sequence[str]) -> bool:
    """Whether a row is of an experiment without a record: nothing was measured, at no time."""
    values = dict(zip(RECORD_FIELDS, cells, strict=False))
    return all(values.get(field) == NULL for field in (*MEASURED_FIELDS, "datetime"))


def _cell(value: Any) -> str:
    match value:
        case None:
            return NULL
        case list() | tuple():
            return _LIST_SEPARATOR.join(value)
        case str():
            return value
        case _:
            return json.dumps(value)


def _record(cells: list[str], path: Path, line: int) -> Record:
    if len(cells) != len(RECORD_FIELDS):
        raise _refused(f"{len(cells)} cells, not {len(RECORD_FIELDS)}", path, line)
    values: dict[str, Any] = {}
    for field, cell in zip(RECORD_FIELDS, cells, strict=True):
        values[field] = None if cell == NULL else cell
    if values["keep_list"] is not None:
        values["keep_list"] = [family for family in cells[8].split(_LIST_SEPARATOR) if family]
    try:
        return Record.model_validate(values, strict=False)
    except ValidationError as error:
        first = model_faults(error, values, Record)[0]
        raise _refused(fault_text(first), path, line) from error


def _wrong_header(header: tuple[str, ...]) -> str:
    for index, expected in enumerate(RECORD_FIELDS):
        column = header[index] if index < len(header) else "nothing"
        if column != expected:
            return f"column {index + 1} is {column!r}, not {expected!r}"
    return f"{len(header)} columns, not {len(RECORD_FIELDS)}"


def _refused(what: str, path: Path, line: int | None = None) -> DustError:
    where = str(path) if line is None else f"{path}:{line}"
    return DustError(what, where=where, fix="write it again from the records: dust table")
