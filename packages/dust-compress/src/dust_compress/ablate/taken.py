"""What an ablation takes from the executed base task in place of computing it again."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from dust_core.declared.project import ARTIFACTS, result_path
from dust_core.declared.records import Result, read_result_file
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.ablation import AblationTask
from dust_core.declared.specs.variants import Variant, has_own_recipe
from dust_core.files import atomic_path, sha256_file

_log = logging.getLogger("dust")


@dataclass(frozen=True)
class Taken:
    """A network of the base task's execution.

    Attributes:
        task: the base task.
        result: its result.
        path: the network's file, with the recorded SHA-256.
        sha256: of the file.
    """

    task: str
    result: Result
    path: Path
    sha256: str

    def copy_to(self, path: Path) -> None:
        """Write the same bytes to `path`."""
        with atomic_path(path) as temporary:
            shutil.copyfile(self.path, temporary)

    @property
    def note(self) -> str:
        """A line for the record's reader."""
        return (
            f"the network of {self.task} ({self.result.exp_id}), taken by its SHA-256 "
            f"{self.sha256[:12]} and not computed again"
        )

    def source(self) -> dict[str, str]:
        """Where the network is from, for the result file."""
        return {
            "task": self.task,
            "exp_id": str(self.result.exp_id),
            "spec_digest": self.result.provenance.spec_digest,
            "sha256": self.sha256,
        }


def executed_base(task: ResolvedTask) -> Taken | None:
    """The network of the base task, if its execution is that of the present specs and files.

    The execution must have the present digest of the base task and the present bytes of every file
    that it read. Its network must be here with the recorded SHA-256. Otherwise it is
    computed here, and the log says why.

    Raises:
        DustError: the result file of the base task is broken.
    """
    own = task.task
    assert isinstance(own, AblationTask)
    base = (
        "the profile has a recipe of its own for the variants"
        if has_own_recipe(task)
        else _of_present(task, own.base)
    )
    if isinstance(base, str):
        _log.info("the network of %s is not taken: %s", own.base, base)
        return None
    return base


def variant_path(task: ResolvedTask, variant: Variant) -> Path:
    """Where a variant's network is."""
    return ARTIFACTS / task.profile_name / variant.file


def takes(task: ResolvedTask, variant: Variant, taken: Taken | None) -> bool:
    """Whether the variant is the executed base; its file is then a copy, which this writes."""
    if taken is None or not variant.is_base:
        return False
    _log.info("%s is %s", variant.exp_id, taken.note)
    taken.copy_to(variant_path(task, variant))
    return True


def _of_present(task: ResolvedTask, base: str) -> Taken | str:
    """The executed base, or why its execution is not that of the present specs and files."""
    path = result_path(task, base)
    if not path.is_file():
        return "it has no result"
    (result, *others) = read_result_file(path).candidates
    if others or result.record is None:
        return "its result is not of one network"
    provenance, folder = result.provenance, ARTIFACTS / task.profile_name
    if provenance.spec_digest != task.references[base].digest:
        return "its result is of another version of its spec"
    for name, digest in provenance.inputs.items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            return f"{name} is not the file that it read"
    (name, digest) = next(iter(provenance.artifacts.items()))
    if not (folder / name).is_file() or sha256_file(folder / name) != digest:
        return f"{name} is not the file that it wrote"
    return Taken(base, result, folder / name, digest)
