"""Specs together with what was executed, as rules see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dust_core.declared.agreed.executions import Executed, last_executions
from dust_core.declared.change.executed import Execution, executions, lock_path
from dust_core.declared.checks.subjects.results import ResultJson
from dust_core.declared.checks.subjects.specs import SpecTree, YamlFile
from dust_core.declared.reading.place import Place
from dust_core.declared.records.ledger import LedgerFile, ledger_path, read_ledger
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.records import ResultFile


@dataclass(frozen=True, eq=False)
class ExecutedSpecs:
    """The specs of a project with its locks, its ledger and its results.

    A result refers to the specs above it (`ResultJson.specs`), but specs do not refer to results.
    So rules that compare them and report at the specs have this as their subject.

    Attributes:
        tree: the specs.
        results: every result file beside them, of every profile.
        files: the locks and the ledger by their paths in the project.
        names: the names of these files in messages, by the same paths.
    """

    tree: SpecTree
    results: tuple[ResultJson, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The specs' folder, as messages name it."""
        return self.tree.path

    @property
    def parts(self) -> tuple[SpecTree | YamlFile, ...]:
        """The specs and their files; a fault in a part counts for the whole."""
        return (self.tree, *self.tree.parts)

    @cached_property
    def ledger(self) -> tuple[LedgerFile, ...]:
        """The ledger of executions."""
        return read_ledger(self.files)

    @cached_property
    def quotable(self) -> tuple[str, ...]:
        """The profiles whose figures may be quoted; none where the specs have faults."""
        profiles = self.tree.spec_set.profiles if self.tree.spec_set else {}
        return tuple(name for name, profile in profiles.items() if profile.quotable)

    @cached_property
    def profiles(self) -> tuple[str, ...]:
        """The profiles whose executions bind: those that are quotable or in the ledger."""
        recorded = (line.profile for file in self.ledger for line in file.lines[:1])
        return tuple(dict.fromkeys((*self.quotable, *recorded)))

    def model_of(self, file: Path) -> "ResultFile | None":
        """The result in a file; None where there is none that the model accepts."""
        same = (result.model for result in self.results if result.file.resolve() == file.resolve())
        return next(same, None)

    def locked(self, profile: str) -> Mapping[str, Execution]:
        """The executions of a profile's lock, by task; none where it cannot be read."""
        return {} if self.lock_fault(profile) else executions(self.files, profile)

    def lock_fault(self, profile: str) -> str:
        """Why a profile's lock cannot be read; empty if it can."""
        try:
            executions(self.files, profile)
        except DustError as error:
            return error.what
        return ""

    @cached_property
    def last(self) -> tuple[Executed, ...]:
        """The last execution of each task under each profile that binds."""
        return tuple(
            executed
            for profile in self.profiles
            for executed in last_executions(profile, self.locked(profile), self.ledger)
        )

    @cached_property
    def models(self) -> dict[str, Any]:
        """Each spec file as its model, under the path that locks have for it."""
        return {
            (
                PurePosixPath("specs") / file.file.relative_to(self.tree.folder)
            ).as_posix(): file.model
            for file in self.tree.parts
        }

    def place_of(self, executed: Executed) -> Place:
        """Where an execution is recorded: its line of the ledger, else its lock."""
        if executed.line is not None:
            path = ledger_path(executed.profile, executed.attempt.task)
            return self.place(path, executed.number)
        return self.place(lock_path(executed.profile))

    def place(self, path: str, line: int = 1) -> Place:
        """A line of a lock or of the ledger."""
        return Place(self.names.get(path, path), max(line, 1))
