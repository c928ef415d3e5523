"""The digests of the sources that compute figures: those that measure, and those that train."""

import hashlib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

MEASURING = (
    "dust_core/declared/records/aggregate.py",
    "dust_core/declared/records/build.py",
    "dust_core/network",
    "dust_core/pairs",
    "dust_eval/arrays.py",
    "dust_eval/measure",
    "dust_eval/quality",
    "dust_eval/runtimes",
    "dust_eval/scene",
)
"""What turns a network's file into the figures of a record."""

TRAINING = ("dust_compress", "dust_core/network", "dust_core/pairs")
"""What turns a spec into a network's file."""


def measuring_code() -> str | None:
    """The digest of the installed sources that measure; None where dust-eval is not installed."""
    return _of_installed(MEASURING)


def training_code() -> str | None:
    """The digest of the installed sources that train; None where dust-compress is not
    installed."""
    return _of_installed(TRAINING)


def sources_digest(root: Path, places: Iterable[str]) -> str:
    """SHA-256 over the Python sources at or below places of a folder.

    It depends on their contents and on their paths from `root`, in the order of the paths. A line
    that ends in CR LF counts as one that ends in LF, so every checkout of a commit has one digest.
    """
    return _digest((place, root / place) for place in places)


def _of_installed(places: Iterable[str]) -> str | None:
    sources = []
    for place in places:
        package, _, inside = place.partition("/")
        # The packages are found, not imported: dust-core may not depend on the others.
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        sources.append((place, Path(spec.submodule_search_locations[0]) / inside))
    return _digest(sources)


def _digest(sources: Iterable[tuple[str, Path]]) -> str:
    files = {name: path for place, path in sources for name, path in _files(place, path)}
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def _files(place: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The Python files at a path, each with its name from the root."""
    if path.is_file():
        yield place, path
    for file in path.rglob("*.py"):
        yield f"{place}/{file.relative_to(path).as_posix()}", file
