"""A revision's results as a project in a folder: its specs, its locks, what the locks name."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.agreed.owners import CODEOWNERS
from dust_core.declared.change.chain import quotable
from dust_core.declared.change.executed import Execution, executions
from dust_core.declared.change.git import Repository, Revision
from dust_core.declared.change.snapshot import Snapshot, at_revision
from dust_core.declared.project import ARTIFACTS
from dust_core.errors import DustError
from dust_eval.review.stored import Contents, Store, fetch

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet

_CONFIG = ".dvc/config"


@dataclass(frozen=True)
class Listed:
    """The result of an execution, as the lock lists it.

    Attributes:
        execution: the stage of the lock.
        path: where the task's declared result belongs.
        md5: the content that the lock names; empty where it lists no such file.
    """

    execution: Execution
    path: str
    md5: str


@dataclass(frozen=True)
class Committed:
    """The specs and locks of a revision.

    Attributes:
        revision: the commit.
        snapshot: its specs, locks and ledger.
        files: these files, and who owns them, by path.
    """

    revision: Revision
    snapshot: Snapshot
    files: Mapping[str, bytes]

    @classmethod
    def at(cls, repository: Repository, revision: Revision) -> "Committed":
        """Read a revision.

        Raises:
            DustError: see `Repository.files`.
        """
        snapshot = at_revision(repository, revision, "specs")
        owners = repository.files(revision, CODEOWNERS)
        return cls(revision, snapshot, {**snapshot.files, **owners})

    @property
    def specs(self) -> "SpecSet":
        """The specs.

        Raises:
            DustError: they cannot be read; the message names file and place.
        """
        return self.snapshot.specs

    @property
    def quotable(self) -> tuple[str, ...]:
        """The profiles whose figures may be quoted."""
        return quotable(self.snapshot)

    @cached_property
    def executed(self) -> dict[str, Mapping[str, Execution]]:
        """What the lock of each profile says was executed, by task."""
        return {profile: executions(self.files, profile) for profile in self.specs.profiles}

    def listed(self, profile: str) -> Iterator[Listed]:
        """The result of each task of which the declared run was executed."""
        for task, execution in self.executed[profile].items():
            spec = self.specs.tasks.get(task)
            if spec is not None and spec.run == execution.run:
                path = (ARTIFACTS / profile / spec.result_file(task)).as_posix()
                yield Listed(execution, path, execution.outputs.get(path, ""))


def store_of(repository: Repository, project: Path, base: Revision) -> Store:
    """Where contents come from, by the configuration of the base; the cache if it has none."""
    config = repository.files(base, _CONFIG).get(_CONFIG, b"")
    return Store(project, config.decode("utf-8", "replace"))


def fetch_all(
    store: Store, sides: Iterable[Committed], profiles: Iterable[str], folder: Path
) -> Contents:
    """Fetch the results of several revisions at once."""
    members = list(profiles)
    digests = [
        result.md5
        for side in sides
        for profile in members
        if profile in side.specs.profiles
        for result in side.listed(profile)
    ]
    return fetch(store, digests, folder)


def lay_out(repository: Repository, side: Committed, folder: Path) -> None:
    """Write the specs and locks of a revision to a folder, a repository at that commit.

    It has the history, which some rules look at, and no file but these.
    """
    _empty_clone(repository.root, side.revision.commit, folder)
    for path, content in side.files.items():
        _write(folder / path, content)


def place_results(
    side: Committed, profile: str, contents: Contents, folder: Path
) -> dict[str, str]:
    """Copy the results that were fetched to where they belong; the others: task -> why not."""
    absent = {}
    for result in side.listed(profile):
        task = result.execution.task
        if not result.md5:
            absent[task] = f"the lock does not list {result.path}"
            continue
        source = contents.path(result.md5)
        if source is None:
            why = contents.said or "neither the cache nor the remote has it"
            absent[task] = f"{result.path} (MD5 {result.md5}) cannot be had: {why}"
            continue
        target = folder / result.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return absent


def _empty_clone(root: Path, commit: str, folder: Path) -> None:
    """A repository that borrows the objects of another: no hook or filter of it can run."""
    borrowed = ("git", "clone", "--quiet", "--shared", "--no-checkout", "--template=")
    for command in (
        (*borrowed, str(root), str(folder)),
        ("git", "-C", str(folder), "update-ref", "--no-deref", "HEAD", commit),
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
        if done.returncode:
            raise DustError(
                f"'git {command[1]}' failed: {done.stderr.strip()}",
                where=str(root),
                fix="see whether the clone is whole: 'git fsck'",
            )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
