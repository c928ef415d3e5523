"""The digests of the sources that compute figures: those that measure, and those that train."""

import hashlib
from collections.abc import Iterable, Mapping
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


def sources_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the contents of sources by their names, such as `dust_eval/measure/latency.py`.

    It does not depend on the folder of the packages, nor on their order. A line that ends in CR LF
    counts as one that ends in LF, so every checkout of a commit has one digest.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].replace(b"\r\n", b"\n")
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def sources_in(root: Path, place: str) -> dict[str, bytes]:
    """The Python sources at or below a place of a folder of packages, by name."""
    path = root / place
    files = [path] if path.is_file() else path.rglob("*.py")
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def _of_installed(places: Iterable[str]) -> str | None:
    files: dict[str, bytes] = {}
    for place in places:
        # The packages are found, not imported: dust-core may not depend on the others.
        spec = find_spec(place.partition("/")[0])
        if spec is None or not spec.submodule_search_locations:
            return None
        files |= sources_in(Path(spec.submodule_search_locations[0]).parent, place)
    return sources_digest(files)
