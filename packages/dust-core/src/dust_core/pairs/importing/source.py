"""Whether the source of an import is still the one that an interrupted call read.

Finished tars are taken unseen, by the position of their pairs, only if the source is the same file
for file. For each folder one sum is kept, of the names, sizes and times of the files in it.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dust_core.bounded import read_json_bounded
from dust_core.files import atomic_write_text

_FILE = "source.json"
_TRACE_BYTES = 256_000_000

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


def differing(unfinished: Path, made: Trace) -> list[str]:
    """The paths in which the source of unfinished shards differs from this one, the latter's first.

    All of them do where the shards do not say from which source they were made.
    """
    try:
        before = dict(read_json_bounded(unfinished / _FILE, _TRACE_BYTES))
    except (OSError, ValueError, TypeError):
        before = {}
    changed = (path for path in before | made if before.get(path) != made.get(path))
    return sorted(changed, key=lambda path: (path not in made, path))


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
