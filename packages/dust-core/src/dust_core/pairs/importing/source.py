"""Whether the source of an import is still the one that an interrupted call read.

Finished tars are kept by the position of their pairs alone, so the source must be the same file for
file. For each folder one sum is kept, of the names, sizes and times of the files in it.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dust_core.errors import DustError
from dust_core.files import atomic_write_text

_FILE = "source.json"
_NAMES = 3

Trace = dict[str, str]
"""The sum of each folder, by its path; of a file, by its own."""


def trace(source: Path, given: dict[str, Any], without: Path) -> Trace:
    """What identifies a source, and the files that its options name.

    Hidden files do not count: file managers write them.

    Args:
        given: the options of the layout, by name.
        without: a folder that does not count, as this program writes it.
    """
    named = [Path(value) for value in given.values() if isinstance(value, Path | str)]
    made: Trace = {}
    for root in (source.resolve(), *(path.resolve() for path in named if path.exists())):
        if root.is_file():
            made[str(root)] = _sum([root])
            continue
        for place, folders, names in os.walk(root):
            here = Path(place)
            folders[:] = [
                name for name in folders if name[0] != "." and here / name != without.resolve()
            ]
            made[place] = _sum(here / name for name in sorted(names) if name[0] != ".")
    return made


def keep_trace(unfinished: Path, made: Trace) -> None:
    """Write a trace beside unfinished shards.

    Raises:
        DustError: it cannot be written.
    """
    atomic_write_text(unfinished / _FILE, json.dumps(made, indent=1) + "\n")


def require_same(unfinished: Path, made: Trace) -> None:
    """Prove that unfinished shards were made from a source of this trace.

    Raises:
        DustError: they were not, or do not say from which.
    """
    try:
        before = dict(json.loads((unfinished / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        before = {}
    if before == made:
        return
    changed = (path for path in before | made if before.get(path) != made.get(path))
    differing = sorted(changed, key=lambda path: (path not in made, path))
    more = f" and {len(differing) - _NAMES} more" if len(differing) > _NAMES else ""
    raise DustError(
        "an interrupted call left shards of another source, or the source has changed since "
        f"(differing: {', '.join(differing[:_NAMES])}{more})",
        where=str(unfinished),
        fix="give the source as it was to go on, name an empty folder, "
        f"or delete {unfinished} to begin anew",
    )


def _sum(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            facts = path.stat()
            size, changed = facts.st_size, facts.st_mtime_ns
        except OSError:  # a link to nothing
            size, changed = 0, 0
        digest.update(f"{path.name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
