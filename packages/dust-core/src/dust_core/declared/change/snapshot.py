"""The specs, locks and ledger of a project, in a revision or in the working tree."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dust_core.bounded import open_regular
from dust_core.declared.change.git import MAX_BYTES, Repository, Revision
from dust_core.declared.records.ledger import LEDGER, is_ledger
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet
    from dust_core.declared.specs.models import Gate, ProfileSpec, SpecFile, Task, ValueWaiver

WORKING_TREE = "the working tree"

_SPECS = ("", "v1/", "profiles/")
"""The folders of specs below that of the specs; others hold no specs."""

_LOCKS = ("dvc.lock", "pipelines", LEDGER)


@dataclass(frozen=True)
class Snapshot:
    """Files by path relative to the project, read once.

    Attributes:
        name: its name in messages.
        files: the specs as `specs/v1/...` and `specs/profiles/...`, the locks of DVC, the ledger.
    """

    name: str
    files: Mapping[str, bytes]

    @property
    def has_specs(self) -> bool:
        """Whether there are any specs at all."""
        return any(path.startswith("specs/") for path in self.files)

    @cached_property
    def specs(self) -> "SpecSet":
        """The specs.

        Raises:
            DustError: they cannot be read; the message names file and place.
        """
        from dust_core.declared.specs import read_specs

        return read_specs(
            {path: content for path, content in self.files.items() if path.startswith("specs/")}
        )

    @property
    def tasks(self) -> "Mapping[str, Task]":
        """The tasks by id; none where there are no specs."""
        return self.specs.tasks if self.has_specs else {}

    @property
    def gates(self) -> "Mapping[str, Gate]":
        """The lines by name; none where there are no specs."""
        return self.specs.gates if self.has_specs else {}

    @property
    def value_waivers(self) -> "tuple[ValueWaiver, ...]":
        """The waivers of protected values; none where there are no specs."""
        return self.specs.value_waivers if self.has_specs else ()

    @property
    def profiles(self) -> "Mapping[str, ProfileSpec]":
        """The profiles by name; none where there are no specs."""
        return self.specs.profiles if self.has_specs else {}

    @property
    def models(self) -> "Mapping[str, SpecFile]":
        """Each spec file as its model, by path; none where there are no specs."""
        return self.specs.files if self.has_specs else {}

    @cached_property
    def written(self) -> dict[str, Any]:
        """The values of each spec file as they are written, and as DVC records them, by path."""
        if not self.has_specs:
            return {}
        return {path: document.data for path, document in self.specs.documents.items()}


def at_revision(repository: Repository, revision: Revision, specs: str) -> Snapshot:
    """The project at a commit.

    Args:
        repository: the repository around the project.
        revision: the commit.
        specs: the name of the folder of the specs in the project.
    """
    contents = repository.files(revision, specs, *_LOCKS)
    return Snapshot(str(revision), dict(_wanted(contents.items(), specs)))


def in_working_tree(project: Path, specs: str) -> Snapshot:
    """The project as it is in a folder, committed or not.

    Raises:
        DustError: a file cannot be read, or is larger than 4 MB.
    """
    paths = [
        *(path for name in _SPECS for path in sorted((project / specs).glob(f"{name}*.yaml"))),
        *(path for path in (project / "dvc.lock",) if os.path.lexists(path)),
        *sorted((project / "pipelines").glob("*/dvc.lock")),
        *sorted(path for path in (project / LEDGER).rglob("*") if _is_file_of_ledger(path)),
    ]
    contents = ((path.relative_to(project).as_posix(), _read(path)) for path in paths)
    return Snapshot(WORKING_TREE, dict(_wanted(contents, specs)))


def _is_file_of_ledger(path: Path) -> bool:
    """Whatever has the name of a file of the ledger: what is none is refused, not passed over."""
    return path.suffix == ".jsonl" or not path.is_dir()


def _wanted(files: Iterable[tuple[str, bytes]], specs: str) -> Iterator[tuple[str, bytes]]:
    """The specs and locks among files, the folder of the specs under its usual name."""
    for path, content in files:
        if path.startswith(f"{specs}/"):
            below = path.removeprefix(f"{specs}/")
            folder = below[: below.rfind("/") + 1]
            if below.endswith(".yaml") and folder in _SPECS:
                yield f"specs/{below}", content
        elif path.endswith("dvc.lock") or is_ledger(path):
            yield path, content


def _read(path: Path) -> bytes:
    if path.is_symlink() or path.parent.is_symlink():
        raise DustError(
            "a link, whose target a commit does not hold",
            where=str(path),
            fix="commit the file itself",
        )
    try:
        with open_regular(path) as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DustError(
            f"cannot read the file: {error.strerror or error}",
            where=str(path),
            fix="check its permissions",
        ) from error
    if len(content) > MAX_BYTES:
        raise DustError(
            f"larger than {MAX_BYTES:,} bytes",
            where=str(path),
            fix="keep data out of the folder of the specs",
        )
    return content
