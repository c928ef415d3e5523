"""What changed in spec files apart from their tasks and lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from dust_core.declared.change.snapshot import Snapshot
from dust_core.declared.change.values import FieldChange, Values, differences, flatten
from dust_core.declared.specs.models import SpecFile


@dataclass(frozen=True, slots=True)
class FileChange:
    """What changed in a spec file apart from its tasks and lines.

    Attributes:
        path: the file.
        event: added, removed or changed.
        fields: what decides and changed; for an added file everything that decides.
        prose: what only describes and changed.
    """

    path: str
    event: str
    fields: tuple[FieldChange, ...]
    prose: tuple[FieldChange, ...]


def file_changes(old: Snapshot, new: Snapshot) -> Iterator[FileChange]:
    """Each spec file that differs, and how."""
    before, after = old.models, new.models
    for path in dict.fromkeys((*after, *before)):
        if path not in before:
            yield FileChange(path, "added", differences({}, _beside_tasks(after[path], False)), ())
        elif path not in after:
            yield FileChange(path, "removed", (), ())
        else:
            fields, prose = (
                differences(_beside_tasks(before[path], is_), _beside_tasks(after[path], is_))
                for is_ in (False, True)
            )
            if fields or prose:
                yield FileChange(path, "changed", fields, prose)


def _beside_tasks(file: SpecFile, prose: bool) -> Values:
    """A spec file's values without its tasks and lines, which are compared one by one."""
    return {
        path.removeprefix("spec."): value
        for path, value in flatten(file, prose=prose).items()
        if not path.startswith(("spec.tasks.", "spec.gates.", "spec.waivers"))
    }
