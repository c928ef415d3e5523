"""What a clone shows of its protection: CODEOWNERS and the workflow of the review."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dust_core.declared.change.deciding import DECIDING, DECLARED, decides
from dust_core.declared.protection.outcome import Outcome, outcome
from dust_core.declared.protection.workflow import WORKFLOW, read_workflow, workflow_faults
from dust_core.declared.reading.codeowners import PLACES, Owners, parse_owners


def local_outcomes(root: Path, tracked: Sequence[str]) -> Iterator[Outcome]:
    """Check a working tree.

    Args:
        root: its top.
        tracked: the files that git tracks, relative to the root.
    """
    yield from _ownership(root, tracked)
    yield outcome(f"{WORKFLOW} judges with the base", workflow_faults(read_workflow(root)))


def _ownership(root: Path, tracked: Sequence[str]) -> Iterator[Outcome]:
    place = next((place for place in PLACES if (root / place).is_file()), None)
    if place is None:
        yield Outcome("CODEOWNERS is there", "missing", f"add {PLACES[0]}")
        return
    owners = parse_owners((root / place).read_text(encoding="utf-8", errors="replace"))
    yield outcome(f"{place} can be read", list(owners.faults))
    unowned = [path for path in tracked if decides(path) and not owners.of(path)]
    yield outcome("every file that decides has an owner", unowned)
    yield outcome("a new file that decides has an owner", list(_open_places(owners)))


def _open_places(owners: Owners) -> Iterator[str]:
    """The deciding patterns under which a file that is not there yet would have no owner."""
    for pattern in (*DECLARED, *(pattern for group in DECIDING.values() for pattern in group)):
        name = pattern.strip("/").replace("*", "new")
        if not owners.of(f"{name}/new/file" if pattern.endswith("/") else name):
            yield pattern
