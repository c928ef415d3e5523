"""The ledger of executions: one JSON line for each execution, in files that only grow.

`executions/PROFILE/TASK.jsonl` holds the executions of one task under one profile, oldest first. So
two pull requests that execute different tasks change different files. docs/adr/023 says why
dvc.lock alone does not prove what was executed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, ValidationError

from dust_core.declared.reading.faults import fault_text, model_faults
from dust_core.declared.reading.json_text import JsonFault, parse_json
from dust_core.declared.records.base import Frozen, Sha256, Text
from dust_core.declared.records.record import Moment
from dust_core.declared.records.verdict import Status

LEDGER = "executions"
"""The folder of the ledger, beside dvc.lock."""

Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$", description="MD5, as DVC writes it")]


class LedgerLine(Frozen):
    """One execution of a task."""

    profile: Text = Field(description="Profile it was executed under")
    task: Text = Field(description="Task that was executed")
    run: int = Field(ge=1, description="Number of the attempt")
    exp_id: Text | None = Field(description="null for a task that runs no experiment of its own")
    spec_digest: Sha256 = Field(description="Digest of the resolved task that was executed")
    workload_sha256: Sha256 = Field(description="Digest of the workload")
    result: Text = Field(description="Path of the result file")
    result_sha256: Sha256 = Field(description="SHA-256 of the result file")
    inputs: dict[Text, Md5] = Field(description="MD5 of what the stage read, by path")
    outputs: dict[Text, Md5] = Field(description="MD5 of what the stage wrote, by path")
    device: Sha256 = Field(description="Fingerprint of the device")
    measuring_code: Sha256 | None = Field(
        description="Digest of the sources that measured; null where the result has none"
    )
    commit: str = Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$", description="Git commit")
    finished: Moment
    verdict: Status | None = Field(description="The worst verdict; null where no line was judged")

    @property
    def name(self) -> str:
        """Its name in messages: the experiment's id, or the task's id with its run."""
        return self.exp_id or f"{self.task} run {self.run}"


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """Why a line of a ledger, or a whole file, cannot be read.

    Attributes:
        path: the file.
        line: the line's number, from 1.
        text: what is wrong.
    """

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """The executions of one task under one profile, oldest first."""

    path: str
    lines: tuple[LedgerLine, ...]
    faults: tuple[LedgerFault, ...] = ()


def ledger_path(profile: str, task: str) -> str:
    """Where the executions of a task are, relative to the project."""
    return f"{LEDGER}/{profile}/{task}.jsonl"


def is_ledger(path: str) -> bool:
    """Whether a path of the project is a file of the ledger."""
    return path.startswith(f"{LEDGER}/")


def read_ledger(files: Mapping[str, bytes]) -> tuple[LedgerFile, ...]:
    """The files of the ledger among the project's files, in the order of their paths."""
    return tuple(_parsed(path, files[path]) for path in sorted(files) if is_ledger(path))


def ledger_text(lines: Iterable[LedgerLine]) -> str:
    """Lines as they are in a file: JSON with its keys in the model's order, one line each."""
    return "".join(
        json.dumps(line.model_dump(mode="json"), ensure_ascii=False, allow_nan=False) + "\n"
        for line in lines
    )


def _parsed(path: str, content: bytes) -> LedgerFile:
    lines: list[LedgerLine] = []
    faults: list[LedgerFault] = []
    if content and not content.endswith(b"\n"):
        faults.append(LedgerFault(path, content.count(b"\n") + 1, "a line without its end"))
    for number, text in enumerate(content.split(b"\n")[: content.count(b"\n")], start=1):
        line = _line(path, text)
        if isinstance(line, LedgerLine):
            lines.append(line)
        else:
            faults.append(LedgerFault(path, number, line))
    if not content:
        faults.append(LedgerFault(path, 1, "an empty file"))
    return LedgerFile(path, tuple(lines), tuple(faults))


def _line(path: str, text: bytes) -> LedgerLine | str:
    """A line, or why it cannot be read."""
    if text.endswith(b"\r"):
        return "a line that ends in CR LF, expected LF"
    try:
        document = parse_json(text, path)
        line = LedgerLine.model_validate_json(document.text)
    except JsonFault as fault:
        return f"not JSON: {fault.text}"
    except ValidationError as error:
        return fault_text(model_faults(error, document.data, LedgerLine)[0])
    if path != ledger_path(line.profile, line.task):
        belongs = PurePosixPath(ledger_path(line.profile, line.task))
        return f"a line of {line.task} under {line.profile}, which belongs in {belongs}"
    return line
