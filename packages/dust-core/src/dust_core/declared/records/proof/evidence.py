"""What results are checked against, and what a check finds."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dust_core.declared.reading.wording import path_text
from dust_core.declared.records.provenance import Role
from dust_core.declared.records.result import Result, ResultFile

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

Loc = tuple[str | int, ...]
Kind = Literal["source", "agreement", "task", "twice", "size", "history"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """Why a result is no evidence.

    Attributes:
        kind: which question it fails.
        task: the task that it counts against.
        file: the name of the result file.
        loc: keys and indices to the value, from the file's root.
        says: what is there.
        expected: what belongs there.
        fix: what to do.
        absent: whether nothing contradicts the result, and only what could confirm it is missing.
    """

    kind: Kind
    task: str
    file: str
    loc: Loc
    says: str
    expected: str
    fix: str
    absent: bool = False

    def __str__(self) -> str:
        place = f"{self.file}: {path_text(self.loc)}" if self.loc else self.file
        return f"{place}: found {self.says}, expected {self.expected}: {self.fix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A result file as it is stored.

    Attributes:
        name: its name in the profile's folder.
        md5, sha256: of its bytes.
        file: its content.
    """

    name: str
    md5: str
    sha256: str
    file: ResultFile

    def with_role(self, *roles: Role) -> Iterator[tuple[int, Result]]:
        """Its results of some roles, with their indices."""
        for index, result in enumerate(self.file.results):
            if result.provenance.role in roles:
                yield index, result

    def unproven(self, kind: Kind, loc: Loc, says: str, expected: str, fix: str = "") -> Unproven:
        """A fault of this file."""
        return Unproven(
            kind=kind,
            task=self.file.task,
            file=self.name,
            loc=loc,
            says=says,
            expected=expected,
            fix=fix or f"run {self.file.task} again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An output as dvc.lock recorded it."""

    md5: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the results of one profile are checked against.

    Attributes:
        folder: the profile's folder of artifacts, as messages name it.
        tasks: every task under the profile, by id.
        files: the result files of the folder, by name.
        lock: where dvc.lock is, as messages name it.
        outputs: the outputs that dvc.lock recorded, by name in the folder.
        sizes: the sizes (bytes) of the artifacts that are here, by name.
        commits: the commits up to the present one, each with its time; None where git cannot tell.
        device: the fingerprint of the device that the profile's latencies belong to; None if the
            folder does not name it.
        now: the present time.
    """

    folder: str
    tasks: "Mapping[str, ResolvedTask]"
    files: Mapping[str, Stored]
    lock: str = "dvc.lock"
    outputs: Mapping[str, Written] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    commits: Mapping[str, dt.datetime] | None = None
    device: str | None = None
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def declared(self) -> "Iterator[tuple[ResolvedTask, Stored]]":
        """Each task with the result file of its declared run, where there is one."""
        for task in self.tasks.values():
            if (stored := self.result_of(task.id)) is not None:
                yield task, stored

    def current(self) -> "Iterator[tuple[ResolvedTask, Stored]]":
        """`declared`, without results of another version of the task, which fail as they are."""
        for task, stored in self.declared():
            digests = {result.provenance.spec_digest for result in stored.file.candidates}
            if task.digest in digests:
                yield task, stored

    def result_of(self, task_id: str) -> Stored | None:
        """The stored result of a task's declared run; None where there is none."""
        task = self.tasks.get(task_id)
        stored = None if task is None else self.files.get(task.result_files[task_id])
        return stored if stored is not None and stored.file.task == task_id else None

    def writer(self, name: str) -> str | None:
        """The task that writes a file; None where no task does."""
        for task in self.tasks.values():
            if name in task.task.outputs or name == task.result_files[task.id]:
                return task.id
        return None
