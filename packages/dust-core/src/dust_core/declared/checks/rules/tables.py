"""TAB: result_table.csv holds exactly the records."""

import csv
from collections.abc import Iterator

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import TableRule, refused_among
from dust_core.declared.checks.subjects import Table
from dust_core.declared.checks.subjects.artifacts import TableFault

_AGAIN = "write it again from the records: dust table"


class ReadableTable(TableRule):
    """A result table is UTF-8 text of at most 16 MB with one line for each row (RFC 4180)."""

    id = "TAB001"
    title = "the file is not a table"
    fix = _AGAIN
    requires = ()

    def check(self, subject: Table) -> Iterator[Finding]:
        if isinstance(subject.source, TableFault):
            fault = subject.source
            yield self.finding(fault.place, fault.text, fault.expected)


class Columns(TableRule):
    """The columns are the 25 fields of a record, all of them, in their order."""

    id = "TAB002"
    title = "the columns are not the 25 fields in order"
    fix = _AGAIN

    def check(self, subject: Table) -> Iterator[Finding]:
        from dust_core.declared.records import RECORD_FIELDS

        header = subject.rows[0]
        for column, expected in enumerate(RECORD_FIELDS):
            name = header[column] if column < len(header) else "nothing"
            if name != expected:
                yield self.finding(subject.place(0, column), name, expected, choices=RECORD_FIELDS)
                return
        if len(header) > len(RECORD_FIELDS):
            extra = header[len(RECORD_FIELDS)]
            yield self.finding(subject.place(0, len(RECORD_FIELDS)), extra, "no further column")


class Cells(TableRule):
    """Every row has a cell for every column. What was not measured is the word `null`, never empty,
    0 or `nan`.
    """

    id = "TAB003"
    title = "a row has too few or too many cells, or an empty one"
    fix = _AGAIN
    requires = ("TAB001", "TAB002")

    def check(self, subject: Table) -> Iterator[Finding]:
        width = len(subject.rows[0])
        for number, row in enumerate(subject.rows[1:], start=1):
            if len(row) != width:
                place = subject.place(number)
                yield self.finding(place, f"{len(row)} cells", f"{width} cells")
                continue
            for column, cell in enumerate(row):
                if cell.strip().lower() in ("", "nan", "inf", "-inf", "none", "n/a"):
                    says = f"{subject.rows[0][column]}: {cell or 'empty'}"
                    yield self.finding(subject.place(number, column), says, "a value, or null")


class RowTwice(TableRule):
    """An experiment has one row."""

    id = "TAB004"
    title = "an experiment has two rows"
    fix = _AGAIN
    requires = ("TAB001", "TAB002")

    def check(self, subject: Table) -> Iterator[Finding]:
        first: dict[str, int] = {}
        for number, row in enumerate(subject.rows[1:], start=1):
            exp_id = row[0] if row else ""
            before = first.setdefault(exp_id, number)
            if before != number:
                expected = f"one row; the first is line {before + 1}"
                yield self.finding(subject.place(number), exp_id, expected)


class TableAgrees(TableRule):
    """The table comes from the result files beside it: the same experiments, the same figures.
    A row of an experiment that was not measured has neither figures nor a time.
    """

    id = "TAB005"
    title = "the table and the result files beside it disagree"
    fix = _AGAIN
    requires = ("TAB001", "TAB002", "TAB003", "TAB004", "REC")

    def unable(self, subject: Table) -> str:
        if not subject.results:
            return "no result files beside it"
        return refused_among(subject.results)

    def check(self, subject: Table) -> Iterator[Finding]:
        from dust_core.declared.records import is_awaited, table_csv, table_records

        records = table_records(result.model for result in subject.results if result.model)
        lines = table_csv(records).splitlines()
        header, *expected = (tuple(next(csv.reader([line]))) for line in lines)
        right = {row[0]: row for row in expected}
        present = {row[0] for row in subject.rows[1:]}
        for number, row in enumerate(subject.rows[1:], start=1):
            if row[0] not in right and is_awaited(row):
                continue
            if row[0] not in right:
                yield self.finding(
                    subject.place(number),
                    row[0],
                    "an experiment with a record beside the table",
                    choices=right,
                )
                continue
            for column, (cell, value) in enumerate(zip(row, right[row[0]], strict=True)):
                if cell != value:
                    place = subject.place(number, column)
                    yield self.finding(place, f"{header[column]}: {cell}", value)
        for exp_id in right:
            if exp_id not in present:
                yield self.finding(subject.place(0), "no such row", f"a row for {exp_id}")


RULES = (ReadableTable(), Columns(), Cells(), RowTwice(), TableAgrees())
