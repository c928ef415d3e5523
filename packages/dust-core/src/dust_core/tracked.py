"""How a user gets a file that is absent or damaged: with DVC, where DVC knows it."""

import configparser
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from dust_core.bounded import read_bounded

PULL = "dvc pull --allow-missing"
"""Fetches everything that the remote holds; without its option the command fails in a clone, since
no remote keeps every network."""
ANEW = "fetch it again, or write it anew"
"""What to do about a damaged file that DVC does not track."""

_LOCK_BYTES = 16_000_000
_FOLDER, _POINTER, _LOCK = ".dvc", ".dvc", "dvc.lock"


class _Written(NamedTuple):
    """An output as a lock has it: its MD5, and the command of its stage."""

    md5: str
    command: str


def remedy(path: Path, otherwise: str = "check the path") -> str:
    """How to get a file: ``fetch it: `dvc pull PATH` `` where DVC tracks the path.

    Where no remote has it, that is to run the task that wrote it; elsewhere it is `otherwise`.
    """
    root = _root(path)
    locked = {} if root is None else _locked(root)
    tracked = _tracked(path, root, locked)
    if root is None or tracked is None:
        return otherwise
    if command := _writer_of_lost(tracked, root, locked):
        return f"no remote has it, and `{command}` writes it again"
    return f"fetch it: `dvc pull {os.path.relpath(tracked)}`"


def writer_of_lost(path: Path) -> str | None:
    """The command that writes a file that DVC tracks and no remote has; None for other files."""
    root = _root(path)
    locked = {} if root is None else _locked(root)
    tracked = _tracked(path, root, locked)
    return None if root is None or tracked is None else _writer_of_lost(tracked, root, locked)


def _writer_of_lost(
    tracked: Path, root: Path, locked: "Mapping[str, _Written | None]"
) -> str | None:
    written = locked.get(tracked.relative_to(root).as_posix())
    return None if written is None or is_kept(written.md5, root) else written.command


def tracked_path(path: Path) -> Path | None:
    """The path, or a folder above it, that a .dvc file or a lock names; from the working folder."""
    root = _root(path)
    tracked = _tracked(path, root, {} if root is None else _locked(root))
    return None if tracked is None else Path(os.path.relpath(tracked))


def _tracked(path: Path, root: Path | None, locked: Collection[str]) -> Path | None:
    """The path, or a folder above it, that a .dvc file or the locks of its project name."""
    whole = _whole(path)
    for candidate in (whole, *whole.parents):
        if root is None or candidate == root:
            return None
        pointer = candidate.with_name(candidate.name + _POINTER)
        if pointer.is_file() or candidate.relative_to(root).as_posix() in locked:
            return candidate
    return None


def _whole(path: Path) -> Path:
    # Links stay: DVC tracks the name, not what it leads to.
    return Path(os.path.normpath(path.absolute()))


def _root(path: Path) -> Path | None:
    """The project of DVC that a path is in."""
    return next((folder for folder in _whole(path).parents if (folder / _FOLDER).is_dir()), None)


def is_kept(md5: str, project: Path) -> bool:
    """Whether DVC's cache or its default remote may have a file of this MD5.

    A remote on the network is not asked: it may have any file. Neither is a project without DVC.
    """
    folder = project / _FOLDER
    if not (folder / "config").is_file():
        return True
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return True
    name = config.get("core", "remote", fallback=None)
    remote = config.get(f"'remote \"{name}\"'", "url", fallback=None)
    if remote is not None and "://" in remote:
        return True
    # Both are relative to the folder of the configuration.
    places = (config.get("cache", "dir", fallback="cache"), remote)
    return any(
        (folder / place / "files" / "md5" / md5[:2] / md5[2:]).exists()
        for place in places
        if place is not None
    )


def _locked(root: Path) -> dict[str, _Written | None]:
    """The paths that the locks of a project name, and for an output what wrote it.

    All paths are from the project's root. The lines are read as DVC writes them: a parser of YAML
    would take seconds.
    """
    named: dict[str, _Written | None] = {}
    for lock in (root / _LOCK, *sorted(root.glob(f"pipelines/*/{_LOCK}"))):
        try:
            lines = read_bounded(lock, _LOCK_BYTES).decode().splitlines()
        except (OSError, ValueError):
            continue
        command, part, path = "", "", ""
        for line in lines:
            key, _, value = line.strip().removeprefix("- ").partition(": ")
            if line.startswith("    ") and line[4:5].isalpha():
                part = line.strip().partition(":")[0]
                command = value if part == "cmd" else command
            elif key == "path" and value:
                path = value
                named.setdefault(path, None)
            elif key == "md5" and part == "outs" and path:
                named[path] = _Written(value, command)
    return named
