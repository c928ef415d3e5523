"""Checks the pins of the containers and of the locks; standard library alone.

`check.py` prints each fault as file:line and exits 1 if there is any. `check.py requirements NAME`
prints hashed.lock without what the image of that name provides itself. `check.py archives FOLDER`
exits 1 if a package of Debian in the folder is not one of debian.lock, `check.py provided NAME` if
this Python lacks a module that the image of that name provides.
"""

import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINNED_IMAGE = re.compile(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
PIN = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!]+)")
HASHED = "containers/hashed.lock"
HASHED_PIN = re.compile(r"([A-Za-z0-9][\w.-]*==[\w.!]+)(?: --hash=sha256:[0-9a-f]{64})+")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
NOT_REPRODUCIBLE = re.compile(r"^\s*(SHELL\b|ADD\b)|<<|pip install (?!.*--no-deps)")


def faults(root: Path) -> list[str]:
    """Every pin that is missing, double or at odds with another, as `file:line: fault`."""
    return [*_image_faults(root), *_lock_faults(root), *_hash_faults(root)]


def requirements_without_provided(root: Path, image: str) -> str:
    """hashed.lock for an image whose own builds of some packages stay."""
    provided = {normal(name) for name in _images(root)[image]["provides"]}
    lines = (root / HASHED).read_text(encoding="utf-8").splitlines()
    kept = (line for line in lines if name_of(line) not in provided)
    return "\n".join(kept) + "\n"


def archive_faults(root: Path, folder: Path) -> list[str]:
    """Every package of Debian in a folder that is not one of debian.lock."""
    lines = (root / "containers" / "debian.lock").read_text(encoding="utf-8").splitlines()
    known = set(lines)
    return [
        f"{archive.name} is not in containers/debian.lock: run nox -s containers -- --lock"
        for archive in sorted(folder.glob("*.deb"))
        if f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}" not in known
    ]


def provided_faults(root: Path, image: str) -> list[str]:
    """Every module that the image provides itself and this Python lacks."""
    return [
        f"containers/lock.toml:1: the image of {image} has no module {module}: it is another image"
        for module in _images(root)[image]["modules"]
        if not _is_here(module)
    ]


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False


def _image_faults(root: Path) -> Iterator[str]:
    images = _images(root)
    recipes = {path.suffix[1:]: path for path in sorted(root.glob("containers/Containerfile.*"))}
    for name in sorted(images.keys() ^ recipes.keys()):
        yield f"containers/lock.toml:1: {name} is not in both the lock and the Containerfiles"
    for name, recipe in recipes.items():
        where = recipe.relative_to(root).as_posix()
        for number, line in enumerate(recipe.read_text(encoding="utf-8").splitlines(), start=1):
            if line.lstrip().startswith("#"):
                continue
            if line.startswith("FROM "):
                image = line.split()[1]
                if not PINNED_IMAGE.fullmatch(image):
                    yield f"{where}:{number}: {image} is not pinned as NAME:TAG@sha256:DIGEST"
                elif name in images and image != images[name]["image"]:
                    yield f"{where}:{number}: {image} is not the image of containers/lock.toml"
            elif NOT_REPRODUCIBLE.search(line):
                yield f"{where}:{number}: does not build the same twice: {line.strip()}"


def _lock_faults(root: Path) -> Iterator[str]:
    pinned: dict[str, int] = {}
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        pin = PIN.fullmatch(line)
        if pin is None:
            yield f"requirements.lock:{number}: not a pin NAME==VERSION: {line}"
            continue
        first = pinned.setdefault(normal(pin[1]), number)
        if first != number:
            yield f"requirements.lock:{number}: {pin[1]} is pinned in line {first} already"
    for where, asked in _asked(root):
        if normal(asked) not in pinned and not asked.startswith("dust-"):
            yield f"{where}:1: {asked} is not in requirements.lock: run nox -s lock"
    for name, image in _images(root).items():
        for provided in image["provides"]:
            if normal(provided) not in pinned:
                yield f"containers/lock.toml:1: {name} provides {provided}, which nothing asks for"


def _hash_faults(root: Path) -> Iterator[str]:
    pins = {
        line
        for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if PIN.fullmatch(line)
    }
    hashed = set()
    for number, line in enumerate(
        (root / HASHED).read_text(encoding="utf-8").splitlines(), start=1
    ):
        if line.startswith("#"):
            continue
        found = HASHED_PIN.fullmatch(line)
        if found is None:
            yield f"{HASHED}:{number}: not a pin with hashes: {line}"
        else:
            hashed.add(found[1])
    for pin in sorted(pins ^ hashed):
        yield f"{HASHED}:1: {pin} is not in both locks: run nox -s lock"


def _asked(root: Path) -> Iterator[tuple[str, str]]:
    """Where a package is asked for, and its name; tensorrt needs a GPU host and stays unlocked."""
    for path in (root / "pyproject.toml", *sorted(root.glob("packages/*/pyproject.toml"))):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        project = content.get("project", {})
        extras = project.get("optional-dependencies", {})
        groups = [
            project.get("dependencies", []),
            *(asked for extra, asked in extras.items() if extra != "tensorrt"),
            *content.get("dependency-groups", {}).values(),
        ]
        for asked in chain.from_iterable(groups):
            name = NAME.match(asked) if isinstance(asked, str) else None
            if name is not None:
                yield path.relative_to(root).as_posix(), name[0]


def _images(root: Path) -> dict[str, dict[str, Any]]:
    lock = tomllib.loads((root / "containers" / "lock.toml").read_text(encoding="utf-8"))
    return {name: table for name, table in lock.items() if "image" in table}


def normal(name: str) -> str:
    """A package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(pin: str) -> str:
    """The normal name of a line NAME==VERSION."""
    return normal(pin.partition("==")[0])


def main(arguments: list[str]) -> int:
    """Run the check, or print an image's requirements; the exit code."""
    if arguments[:1] == ["requirements"] and len(arguments) == 2:
        print(requirements_without_provided(ROOT, arguments[1]), end="")
        return 0
    if arguments[:1] == ["archives"] and len(arguments) == 2:
        broken = archive_faults(ROOT, Path(arguments[1]))
    elif arguments[:1] == ["provided"] and len(arguments) == 2:
        broken = provided_faults(ROOT, arguments[1])
    else:
        broken = faults(ROOT)
    print("\n".join(broken) or "all pins agree")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
