"""All specs of a folder, or of a revision, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dust_core.declared.reading.faults import fault_text, model_faults
from dust_core.declared.reading.wording import nearest
from dust_core.declared.reading.yaml_text import Document, SpecSyntaxError, load_yaml, parse_yaml
from dust_core.declared.specs.models import (
    KINDS,
    TASK_KINDS,
    Gate,
    Profile,
    ProfileSpec,
    SpecFile,
    Task,
    TaskFile,
    ValueWaiver,
    WorkloadSpec,
)
from dust_core.declared.specs.names import STAGES, stage_of
from dust_core.errors import DustError

T = TypeVar("T")

_FIX = "`dust validate` lists every fault with its place"


@dataclass(frozen=True)
class SpecSet:
    """Every spec file, each valid by itself; `dust validate` checks how they fit together.

    Attributes:
        documents: what was read, by path.
        files: the models of the documents, by path.
    """

    documents: Mapping[str, Document]
    files: Mapping[str, SpecFile]

    @cached_property
    def task_files(self) -> dict[str, TaskFile]:
        """The file of each task, by the task's id, in the order of the stages."""
        kinds = tuple(TASK_KINDS.values())
        files = [file for file in self.files.values() if isinstance(file, kinds)]
        files.sort(key=lambda file: list(STAGES).index(file.STAGE))
        return {task: file for file in files for task in file.spec.tasks}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """Every task by id, in the order of the stages."""
        return {task: file.spec.tasks[task] for task, file in self.task_files.items()}

    @cached_property
    def gates(self) -> dict[str, Gate]:
        """The lines by name."""
        return dict(self._only("Gates").spec.gates)

    @cached_property
    def value_waivers(self) -> tuple[ValueWaiver, ...]:
        """The waivers of protected values."""
        waivers: tuple[ValueWaiver, ...] = self._only("Gates").spec.waivers
        return waivers

    @cached_property
    def workload(self) -> WorkloadSpec:
        """Data and protocol."""
        spec: WorkloadSpec = self._only("Workload").spec
        return spec

    @cached_property
    def profiles(self) -> dict[str, ProfileSpec]:
        """The profiles by name."""
        kind = KINDS["Profile"]
        return {f.metadata.name: f.spec for f in self.files.values() if isinstance(f, kind)}

    def task(self, task_id: str) -> Task:
        """A task by id.

        Raises:
            DustError: there is no such task; the message has the nearest id.
        """
        return self._member(self.tasks, task_id, "task")

    def gate(self, name: str) -> Gate:
        """A line by name.

        Raises:
            DustError: there is no such line; the message has the nearest name.
        """
        return self._member(self.gates, name, "gate")

    def profile(self, name: str) -> ProfileSpec:
        """A profile by name.

        Raises:
            DustError: there is no such profile; the message has the nearest name.
        """
        return self._member(self.profiles, name, "profile")

    def common(self, task_id: str) -> Any:
        """What all tasks of the task's file share; None if the file has no such part."""
        self.task(task_id)
        return getattr(self.task_files[task_id].spec, "common", None)

    def stage(self, stage: str) -> dict[str, Task]:
        """The tasks of a stage, named `K` or, by its phase, `P1` or `p1`.

        Raises:
            DustError: there is no such stage.
        """
        named = {phase: prefix for prefix, phase in STAGES.items()}
        # `p` alone is the stage P; `p0` ... `p5` are phases.
        prefix = named.get(stage.upper(), stage.upper())
        if stage.upper() in self.tasks:
            phase = STAGES[stage_of(stage.upper())]
            raise DustError(f"{stage.upper()} is a task, not a stage", fix=f"its stage is {phase}")
        if prefix not in STAGES:
            self._member(named, stage.upper(), "stage")
        return {task: value for task, value in self.tasks.items() if stage_of(task) == prefix}

    def _only(self, kind: str) -> Any:
        files = [file for file in self.files.values() if isinstance(file, KINDS[kind])]
        if len(files) != 1:
            raise DustError(
                f"there are {len(files)} files of kind {kind}, expected one",
                where=next(iter(self.files), "specs"),
                fix=_FIX,
            )
        return files[0]

    @staticmethod
    def _member(members: Mapping[str, T], name: str, noun: str) -> T:
        if name in members:
            return members[name]
        near = nearest(name, members)
        hint = f"did you mean {near}? " if near else ""
        raise DustError(
            f"there is no {noun} {name!r}", fix=f"{hint}one of {', '.join(members) or 'none'}"
        )


def load_specs(folder: Path) -> SpecSet:
    """Read every `*.yaml` in `folder`, `folder/v1` and `folder/profiles`.

    Raises:
        DustError: the folder holds no spec, or a file has a fault; the message names its place.
    """
    paths = [
        path
        for place in (folder, folder / "v1", folder / "profiles")
        for path in sorted(place.glob("*.yaml"))
    ]
    if not paths:
        raise DustError(
            "there are no specs",
            where=str(folder),
            fix="run in the top folder of the repository, or use --specs",
        )
    documents = [load_yaml(path) for path in paths]
    return _spec_set([(document, _model(document)) for document in documents])


def read_specs(files: Mapping[str, bytes]) -> SpecSet:
    """Read specs from their contents by path, e.g. those of a revision.

    Raises:
        DustError: a file has a fault; the message names its place.
    """
    contents = {path: files[path] for path in sorted(files) if path.endswith(".yaml")}
    return _spec_set([_read(content, path) for path, content in contents.items()])


@lru_cache(maxsize=64)
def _read(content: bytes, path: str) -> tuple[Document, SpecFile]:
    """A file as document and model; two revisions share the files that are equal in both."""
    document = parse_yaml(content, path)
    return document, _model(document)


def _spec_set(read: Sequence[tuple[Document, SpecFile]]) -> SpecSet:
    documents = {document.path: document for document, _ in read}
    files = {document.path: model for document, model in read}
    _require_one_of_each(documents, files)
    return SpecSet(documents, files)


def _require_one_of_each(documents: Mapping[str, Document], files: Mapping[str, SpecFile]) -> None:
    first: dict[str, str] = {}
    for path, file in files.items():
        what = (
            f"profile {file.metadata.name!r}" if isinstance(file, Profile) else type(file).__name__
        )
        if what in first:
            raise SpecSyntaxError(
                f"a second {what}; the first is in {first[what]}",
                path=path,
                position=documents[path].position(("kind",)),
                fix="keep one of the two: a task or a profile has one place",
            )
        first[what] = path


def _model(document: Document) -> SpecFile:
    data = document.data
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpecSyntaxError(
            f"kind is {kind!r}, expected one of {', '.join(KINDS)}",
            path=document.path,
            position=document.position(("kind",)),
            fix="the first keys of a spec are apiVersion, kind, metadata and spec",
        )
    try:
        model: SpecFile = KINDS[kind].model_validate(data)
    except ValidationError as error:
        # A misspelt key causes two faults, an unknown and an absent key; the unknown key says more.
        faults = model_faults(error, data, KINDS[kind])
        first, *others = sorted(faults, key=lambda fault: fault.code == "missing")
        more = f" (and {len(others)} more)" if others else ""
        raise SpecSyntaxError(
            f"{fault_text(first)}{more}",
            path=document.path,
            position=document.position(first.loc, of_key=first.of_key),
            fix=_FIX,
        ) from error
    return model
