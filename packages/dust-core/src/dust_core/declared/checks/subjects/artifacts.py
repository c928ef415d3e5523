"""Result tables, artifact folders and exported graphs as rules see them."""

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.checks.subjects.results import ResultJson
from dust_core.declared.checks.subjects.specs import SpecTree
from dust_core.declared.reading.place import Place
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.records.proof import Unproven
    from dust_core.declared.specs import ResolvedTask

MAX_TABLE_BYTES = 16_000_000

_CELL = re.compile(r'"(?:[^"]++|"")*+"|[^,]*')


@dataclass(frozen=True, slots=True)
class TableFault:
    """The bytes are not a table."""

    place: Place
    text: str
    expected: str


@dataclass(frozen=True, eq=False)
class Table:
    """One result table.

    Attributes:
        path: its name in messages.
        file: where it is.
        results: the result files beside it.
    """

    path: str
    file: Path
    results: tuple[ResultJson, ...] = ()

    @property
    def parts(self) -> tuple[ResultJson, ...]:
        """The result files that the table sums up."""
        return self.results

    @cached_property
    def source(self) -> tuple[str, ...] | TableFault:
        """The lines, or the fault that prevents reading them."""
        here = Place(self.path)
        try:
            with self.file.open("rb") as stream:
                content = stream.read(MAX_TABLE_BYTES + 1)
        except OSError as error:
            return TableFault(here, error.strerror or "unreadable", "a readable file")
        if len(content) > MAX_TABLE_BYTES:
            limit = f"{MAX_TABLE_BYTES:,} bytes"
            return TableFault(here, f"more than {limit}", f"at most {limit}")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            before = content[: error.start]
            place = Place(self.path, before.count(b"\n") + 1, len(before.rpartition(b"\n")[2]) + 1)
            return TableFault(place, f"byte 0x{content[error.start]:02x}", "UTF-8")
        lines = tuple(text.splitlines())
        for number, line in enumerate(lines, start=1):
            if line.count('"') % 2 or len(line) > csv.field_size_limit():
                place = Place(self.path, number)
                return TableFault(place, line, "cells on one line, every quotation mark closed")
        return lines or TableFault(here, "an empty file", "a header and rows")

    @cached_property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells of every line, the header first; a table has one line a row."""
        lines = self.source if isinstance(self.source, tuple) else ()
        return tuple(tuple(next(csv.reader([line]), ())) for line in lines)

    def place(self, row: int, column: int = 0) -> Place:
        """Where a cell begins; rows and columns are counted from 0, the header being row 0."""
        start = 0
        if isinstance(self.source, tuple) and row < len(self.source):
            line = self.source[row]
            for _ in range(column):
                match = _CELL.match(line, start)
                start = min(match.end() + 1 if match else len(line), len(line))
        return Place(self.path, row + 1, start + 1)


@dataclass(frozen=True, eq=False)
class Artifacts:
    """One folder of results and the files that they name.

    Attributes:
        path: its name in messages.
        folder: where it is.
        results: its result files.
        files: the names of its checkpoints, graphs and engines.
        specs: the specs of its project; None where there are none above it.
    """

    path: str
    folder: Path
    results: tuple[ResultJson, ...]
    files: tuple[str, ...] = ()
    specs: SpecTree | None = None

    @property
    def parts(self) -> tuple[ResultJson, ...]:
        """Its result files."""
        return self.results

    @property
    def tasks(self) -> "dict[str, ResolvedTask]":
        """The tasks under the folder's profile; empty without specs or where no profile has its
        name."""
        from dust_core.declared.specs import resolve

        specs = self.specs.spec_set if self.specs else None
        tasks = {}
        if specs is not None and self.folder.name in specs.profiles:
            for task in specs.tasks:
                try:
                    tasks[task] = resolve(specs, task, self.folder.name)
                except (DustError, RecursionError):  # as in the rules of provenance, REF reports it
                    continue
        return tasks

    @cached_property
    def unproven(self) -> "tuple[Unproven, ...]":
        """What contradicts its results. What is merely absent contradicts nothing."""
        from dust_core.declared.records.proof import evidence_of, unproven

        files = {result.file.name: result.model for result in self.results if result.model}
        evidence = evidence_of(self.folder, self.path, files, self.tasks)
        return tuple(fault for fault in unproven(evidence) if not fault.absent)


@dataclass(frozen=True, eq=False)
class Graph:
    """One exported ONNX graph; packages that read graphs provide its rules."""

    path: str
    file: Path
    parts: tuple[()] = ()
