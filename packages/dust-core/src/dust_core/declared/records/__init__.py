"""Records, their provenance and the verdicts on them; the files that hold them; the tables."""

from dust_core.declared.records.aggregate import mean, percentile
from dust_core.declared.records.awaited import (
    NOT_PULLED,
    NOT_RUN,
    awaited_rows,
    awaited_sheet,
    why_absent,
)
from dust_core.declared.records.build import Execution, Measurement, build_result
from dust_core.declared.records.environment import (
    Environment,
    environment_fingerprint,
    installed_versions,
)
from dust_core.declared.records.ledger import (
    LEDGER,
    LedgerFault,
    LedgerFile,
    LedgerLine,
    is_ledger,
    ledger_path,
    ledger_text,
    read_ledger,
)
from dust_core.declared.records.parameters import Parameters, record_parameters, task_parameters
from dust_core.declared.records.provenance import (
    BaselineRef,
    Latency,
    MeasuredDevice,
    Provenance,
    Role,
    Runtime,
)
from dust_core.declared.records.record import (
    HIGHER_IS_BETTER,
    MEASURED_FIELDS,
    QUALITY_METRICS,
    RECORD_FIELDS,
    Record,
)
from dust_core.declared.records.result import Result, ResultFile
from dust_core.declared.records.sheet import SheetRow, sheet_csv, sheet_markdown, sheet_rows
from dust_core.declared.records.storage import (
    Fault,
    ResultFileError,
    parse_result_file,
    read_result_file,
    read_result_folder,
    result_file_text,
    write_result_file,
)
from dust_core.declared.records.table import is_awaited, read_table, table_csv, table_records
from dust_core.declared.records.verdict import (
    Effect,
    Interval,
    Status,
    Verdict,
    overall,
    status_of,
    straddles,
    uncommitted,
)

__all__ = [
    "HIGHER_IS_BETTER",
    "LEDGER",
    "MEASURED_FIELDS",
    "NOT_PULLED",
    "NOT_RUN",
    "QUALITY_METRICS",
    "RECORD_FIELDS",
    "BaselineRef",
    "Effect",
    "Environment",
    "Execution",
    "Fault",
    "Interval",
    "Latency",
    "LedgerFault",
    "LedgerFile",
    "LedgerLine",
    "MeasuredDevice",
    "Measurement",
    "Parameters",
    "Provenance",
    "Record",
    "Result",
    "ResultFile",
    "ResultFileError",
    "Role",
    "Runtime",
    "SheetRow",
    "Status",
    "Verdict",
    "awaited_rows",
    "awaited_sheet",
    "build_result",
    "environment_fingerprint",
    "installed_versions",
    "is_awaited",
    "is_ledger",
    "ledger_path",
    "ledger_text",
    "mean",
    "overall",
    "parse_result_file",
    "percentile",
    "read_ledger",
    "read_result_file",
    "read_result_folder",
    "read_table",
    "record_parameters",
    "result_file_text",
    "sheet_csv",
    "sheet_markdown",
    "sheet_rows",
    "status_of",
    "straddles",
    "table_csv",
    "table_records",
    "task_parameters",
    "uncommitted",
    "why_absent",
    "write_result_file",
]
