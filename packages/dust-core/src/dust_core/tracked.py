"""How a user gets a file that is absent or damaged: with DVC, where DVC knows it."""

import configparser
import os
from pathlib import Path

from dust_core.bounded import read_bounded

PULL = "dvc pull --allow-missing"
"""Fetches everything that the remote holds; without its option the command fails in a clone, since
no remote keeps every network."""
ANEW = "fetch it again, or write it anew"
"""What to do about a damaged file that DVC does not track."""

_LOCK_BYTES = 16_000_000
_FOLDER, _POINTER, _LOCK = ".dvc", ".dvc", "dvc.lock"


def remedy(path: Path, otherwise: str = "check the path") -> str:
    """``fetch it: `dvc pull PATH` `` where DVC tracks the path, and `otherwise` elsewhere."""
    tracked = tracked_path(path)
    return otherwise if tracked is None else f"fetch it: `dvc pull {tracked}`"


def tracked_path(path: Path) -> Path | None:
    """The path, or a folder above it, that a .dvc file or a lock names; from the working folder."""
    # Links stay: DVC tracks the name, not what it leads to.
    whole = Path(os.path.normpath(path.absolute()))
    root = next((folder for folder in whole.parents if (folder / _FOLDER).is_dir()), None)
    if root is None:
        return None
    locked = _locked(root)
    for candidate in (whole, *whole.parents):
        if candidate == root:
            return None
        pointer = candidate.with_name(candidate.name + _POINTER)
        if pointer.is_file() or candidate.relative_to(root).as_posix() in locked:
            return Path(os.path.relpath(candidate))
    return None


def is_kept(md5: str, project: Path) -> bool:
    """Whether DVC's cache or its default remote may have a file of this MD5.

    A remote on the network is not asked: it may have any file. Neither is a project without DVC.
    """
    if not (project / _FOLDER / "config").is_file():
        return True
    folders = [project / _FOLDER / "cache"]
    if (remote := _default_remote(project / _FOLDER)) is not None:
        if "://" in remote:
            return True
        folders.append(project / _FOLDER / remote)
    return any((folder / "files" / "md5" / md5[:2] / md5[2:]).exists() for folder in folders)


def _default_remote(folder: Path) -> str | None:
    """The address of DVC's default remote, as its configuration has it; None for none."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return None
    name = config.get("core", "remote", fallback=None)
    return config.get(f"'remote \"{name}\"'", "url", fallback=None)


def _locked(root: Path) -> set[str]:
    """The paths that the locks of a project name; all of them are from its root."""
    names = set()
    for lock in (root / _LOCK, *sorted(root.glob(f"pipelines/*/{_LOCK}"))):
        try:
            lines = read_bounded(lock, _LOCK_BYTES).decode().splitlines()
        except (OSError, ValueError):
            continue
        keys = (line.strip().removeprefix("- ").partition("path: ") for line in lines)
        names |= {value for before, key, value in keys if key and not before}
    return names
