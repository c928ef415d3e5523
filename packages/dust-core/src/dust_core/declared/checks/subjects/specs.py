"""Spec files as rules see them: text, places and models; and the tree of all files."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dust_core.declared.agreed.owners import CODEOWNERS, owners_of
from dust_core.declared.reading.faults import Loc, ModelFault, model_faults
from dust_core.declared.reading.place import Place
from dust_core.declared.reading.yaml_text import (
    MAX_BYTES,
    Document,
    Position,
    SpecSyntaxError,
    load_yaml,
)
from dust_core.declared.specs.models import KINDS, TASK_KINDS, Gate, Task, WorkloadSpec

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


@dataclass(frozen=True, eq=False)
class YamlFile:
    """One spec file.

    Attributes:
        path: its name in messages.
        file: where it is.
        known: the document, where it was read from a revision; None to read `file`.
    """

    path: str
    file: Path
    known: Document | None = None
    parts: tuple[()] = ()

    @cached_property
    def source(self) -> Document | SpecSyntaxError:
        """The document, or why there is none."""
        try:
            return self.known or load_yaml(self.file)
        except SpecSyntaxError as error:
            return error

    def excerpt(self, position: Position) -> str:
        """The rest of a line from a position on, in a file that is not a document."""
        with self.file.open("rb") as stream:
            lines = stream.read(MAX_BYTES).split(b"\n")
        line = lines[position.line - 1] if position.line <= len(lines) else b""
        return line.decode("utf-8", "backslashreplace")[position.column - 1 :].strip()

    @property
    def document(self) -> Document | None:
        """The document; None where the file is not a spec's YAML."""
        return self.source if isinstance(self.source, Document) else None

    @cached_property
    def data(self) -> dict[str, Any]:
        """The document's values; empty where it is not a mapping."""
        data = self.document.data if self.document else None
        return data if isinstance(data, dict) else {}

    @property
    def kind(self) -> str:
        """The declared kind if it exists; else empty."""
        kind = self.data.get("kind")
        return kind if isinstance(kind, str) and kind in KINDS else ""

    @property
    def spec(self) -> dict[str, Any]:
        """The values under `spec`; empty if `spec` is not a mapping."""
        spec = self.data.get("spec")
        return spec if isinstance(spec, dict) else {}

    @cached_property
    def _validated(self) -> tuple[Any, tuple[ModelFault, ...]]:
        if not self.kind:
            return None, ()
        try:
            return KINDS[self.kind].model_validate(self.data), ()
        except ValidationError as error:
            return None, model_faults(error, self.data, KINDS[self.kind])

    @property
    def model(self) -> Any:
        """The file as its kind's model; None where the model refuses it."""
        return self._validated[0]

    @property
    def faults(self) -> tuple[ModelFault, ...]:
        """What the kind's model refuses."""
        return self._validated[1]

    def place(self, loc: Loc = (), *, of_key: bool = False) -> Place:
        """Where the value at `loc` is, or its key."""
        if self.document is None:
            return Place(self.path)
        position = self.document.position(loc, of_key=of_key)
        return Place(self.path, position.line, position.column)


@dataclass(frozen=True, eq=False)
class TaskEntry:
    """One task as it is written, whether or not its model accepts it."""

    id: str
    file: YamlFile
    raw: dict[str, Any]

    @property
    def model(self) -> Task | None:
        """The task's model; None where its file has faults."""
        return self.file.model.spec.tasks[self.id] if self.file.model else None

    @property
    def common(self) -> Any:
        """What all tasks of the file share (`spec.common`); None if the file has none."""
        return getattr(self.file.model.spec, "common", None) if self.file.model else None

    def texts(self, key: str) -> Iterator[tuple[Loc, str]]:
        """The texts of a list in the task, each with its location below the task."""
        value = self.raw.get(key)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, str):
                yield (key, index), item

    @property
    def escalates_to(self) -> str:
        """The task that takes over on failure; empty where none does."""
        action = self.raw.get("on_failure")
        target = action.get("escalate") if isinstance(action, dict) else None
        return target if isinstance(target, str) else ""

    def place(self, *loc: str | int, of_key: bool = False) -> Place:
        """Where a value of the task is; without `loc`, where its id is."""
        whole = ("spec", "tasks", self.id, *loc)
        return self.file.place(whole, of_key=of_key or not loc)


@dataclass(frozen=True, eq=False)
class SpecTree:
    """All spec files of one folder `specs`.

    Attributes:
        path: the folder's name in messages.
        folder: the folder that holds `v1` and `profiles`, or the files themselves.
        parts: its files, in reading order.
        known_owners: who may approve a waiver; None to read it from the CODEOWNERS of the project.
    """

    path: str
    folder: Path
    parts: tuple[YamlFile, ...]
    known_owners: frozenset[str] | None = None

    def of_kind(self, kind: str) -> tuple[YamlFile, ...]:
        """The files of a kind."""
        return tuple(file for file in self.parts if file.kind == kind)

    @cached_property
    def tasks(self) -> tuple[TaskEntry, ...]:
        """Every task of every file, in order."""
        return tuple(
            TaskEntry(task_id, file, raw)
            for file in self.parts
            if file.kind in TASK_KINDS and isinstance(file.spec.get("tasks"), dict)
            for task_id, raw in file.spec["tasks"].items()
            if isinstance(raw, dict)
        )

    @cached_property
    def by_id(self) -> dict[str, TaskEntry]:
        """Tasks by id."""
        return {task.id: task for task in self.tasks}

    @cached_property
    def gate_names(self) -> tuple[str, ...]:
        """The names of the lines that gates.yaml declares."""
        names: list[str] = []
        for file in self.of_kind("Gates"):
            gates = file.spec.get("gates")
            names.extend(gates if isinstance(gates, dict) else ())
        return tuple(names)

    @cached_property
    def gates(self) -> dict[str, tuple[YamlFile, Gate]]:
        """The lines by name with their file; only of files without faults."""
        return {
            name: (file, gate)
            for file in self.of_kind("Gates")
            if file.model
            for name, gate in file.model.spec.gates.items()
        }

    @cached_property
    def owners(self) -> frozenset[str]:
        """Who may approve a waiver; nobody where the project has no CODEOWNERS."""
        if self.known_owners is not None:
            return self.known_owners
        path = self.folder.parent / CODEOWNERS
        return owners_of(path.read_text(encoding="utf-8")) if path.is_file() else frozenset()

    @property
    def workload(self) -> tuple[YamlFile, WorkloadSpec] | None:
        """The workload and its file; None if it is absent or has faults."""
        for file in self.of_kind("Workload"):
            if file.model:
                return file, file.model.spec
        return None

    @cached_property
    def spec_set(self) -> "SpecSet | None":
        """The tree as a set of specs, to resolve tasks from; None where a file has faults."""
        from dust_core.declared.specs import SpecSet

        if not all(file.document and file.model for file in self.parts):
            return None
        documents = {file.path: file.document for file in self.parts if file.document}
        return SpecSet(documents, {file.path: file.model for file in self.parts})
