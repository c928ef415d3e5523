"""DVC's own files. DVC writes them in place, so a process that is killed there leaves a part.

The last whole lock of a profile is kept in `.dvc/tmp/dust`, and a lock that was cut off is written
again from it. A stage that finished in between costs nothing: DVC takes it from its run cache.
"""

import fcntl
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer

from dust_core.declared.project import EMBEDDED_PROFILE, lock_path
from dust_core.declared.reading.yaml_text import parse_yaml
from dust_core.errors import DustError
from dust_core.files import atomic_write_bytes

_TMP = Path(".dvc", "tmp")
_SECONDS_FOR_DVC = 3.0
_SECONDS_OF_DOUBT = 2.0  # between a clock that counts ticks and that of the file system


def mend(project: Path, profile: str) -> None:
    """Repair what a killed DVC left of its files, and say in a line what was done.

    Raises:
        DustError: the lock was cut off and there is no whole copy, or DVC is at work.
    """
    for done in (repair_lock(project, profile), clear_rwlock(project)):
        if done is not None:
            typer.echo(f"repaired: {done}", err=True)


def mend_all(project: Path) -> None:
    """Repair the locks of all profiles; what cannot be repaired is for the validator to report."""
    profiles = [path.parent.name for path in sorted(project.glob("pipelines/*/dvc.lock"))]
    for profile in (EMBEDDED_PROFILE, *profiles):
        with suppress(DustError):
            mend(project, profile)


def keep_lock(project: Path, profile: str) -> None:
    """Keep a copy of a profile's lock, if it is whole and there is a DVC folder to keep it in."""
    lock, kept = project / lock_path(profile), _kept_path(project, profile)
    if not (project / ".dvc").is_dir() or not lock.is_file():
        return
    content, copy = lock.read_bytes(), _read(kept)
    if content != copy and _is_whole(content, copy):
        atomic_write_bytes(kept, content)


def repair_lock(project: Path, profile: str) -> str | None:
    """Write a lock that was cut off again: from the copy, or from the last commit.

    Returns:
        What was done; None where the lock is whole or absent.

    Raises:
        DustError: neither source has a whole lock, or DVC is writing at this moment.
    """
    lock, kept = project / lock_path(profile), _kept_path(project, profile)
    if not lock.is_file():
        return None
    if _is_whole(lock.read_bytes(), _read(kept)):
        keep_lock(project, profile)
        return None
    with _while_idle(project, "lock"):
        content = lock.read_bytes()
        if _is_whole(content, _read(kept)):
            return None  # DVC was writing it
        for source, copy in (
            (f"the copy in {kept.parent.relative_to(project)}", _read(kept)),
            ("the last commit", _committed(project, lock_path(profile))),
        ):
            if copy is not None and _is_whole(copy, None):
                atomic_write_bytes(lock, copy)
                return (
                    f"{lock_path(profile)} was cut off after {len(content)} bytes, and was "
                    f"restored from {source}"
                )
    raise DustError(
        f"the lock was cut off after {len(content)} bytes, and there is no whole copy",
        where=str(lock),
        fix="restore it from git, or delete it: DVC takes finished stages from its run cache",
    )


def clear_rwlock(project: Path) -> str | None:
    """Take out of DVC's list of files in use what no DVC uses any more.

    DVC passes over processes that are gone. It takes a process that got their number since for
    itself, and it stops at a list that was cut off.

    Returns:
        What was done; None where nothing had to be.
    """
    path = project / _TMP / "rwlock"
    content = _read(path)
    if content is None or (held := _held(content)) == ({}, {}):
        return None
    with _while_idle(project, "rwlock.lock"):
        held = _held(_read(path) or b"")
        if held is None:
            path.unlink(missing_ok=True)
            return f"{path.relative_to(project)} was cut off, and was removed"
        writers, readers = held
        noted = path.stat().st_mtime
        alive = {name: user for name, user in writers.items() if _is_in_use(user, noted)}
        reading = {
            name: [user for user in users if _is_in_use(user, noted)]
            for name, users in readers.items()
        }
        left = {"write": alive, "read": {name: users for name, users in reading.items() if users}}
        if left == {"write": writers, "read": readers}:
            return None
        atomic_write_bytes(path, json.dumps(left).encode())
        return f"{path.relative_to(project)} named files in use by processes that are gone"


def _kept_path(project: Path, profile: str) -> Path:
    return project / _TMP / "dust" / f"{profile}.lock"


def _is_whole(content: bytes, kept: bytes | None) -> bool:
    """Whether a lock has all that DVC wrote, as far as it and an earlier copy show.

    A part that ends where a stage ends is a lock with fewer stages, which may be meant. A lock that
    somebody edited, such as one with the marks of a conflict, was not cut off.
    """
    if content == kept:
        return True
    # DVC ends its file with a line. Another spelling of YAML that ends may be JSON.
    if not content.endswith((b"\n", b"}")) or b"\0" in content:
        return False
    inside = kept is not None and not re.match(rb"  \S", kept.removeprefix(content))
    if kept is not None and kept.startswith(content) and inside:
        return False
    try:
        stages = parse_yaml(content, "dvc.lock").data["stages"]
        return all("cmd" in stage and None not in stage.values() for stage in stages.values())
    except DustError:
        return True
    except (KeyError, TypeError, AttributeError):
        return False


def _committed(project: Path, lock: Path) -> bytes | None:
    with suppress(OSError):
        command = ["git", "-C", str(project), "show", f"HEAD:./{lock.as_posix()}"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
    return None


def _held(content: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Writers and readers by file; None where the list is no list of DVC's."""
    try:
        data = json.loads(content)
        writers, readers = dict(data.get("write", {})), dict(data.get("read", {}))
        for user in (*writers.values(), *(user for users in readers.values() for user in users)):
            int(user["pid"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return writers, readers


def _is_in_use(user: Mapping[str, Any], noted: float) -> bool:
    """Whether the process of an entry is alive, and was when the list was written.

    Args:
        noted: when the list was last written, seconds since the epoch. A process that began after
            that has its number from one that is gone.
    """
    number = int(user["pid"])
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    began = _began(number)
    return began is None or began <= noted + _SECONDS_OF_DOUBT


def _began(number: int) -> float | None:
    """When a process began, seconds since the epoch; None where the system does not tell."""
    try:
        ticks = Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()[19]
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - uptime + int(ticks) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextmanager
def _while_idle(project: Path, name: str) -> Iterator[None]:
    """Hold one of DVC's own locks, so that no DVC writes meanwhile.

    Raises:
        DustError: DVC holds it for longer than it takes to write a file.
    """
    path = project / _TMP / name
    if not (project / ".dvc").is_dir():
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    end = time.monotonic() + _SECONDS_FOR_DVC
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise DustError(
                        "DVC is at work in this project",
                        where=str(path),
                        fix="wait until it has ended, or end it",
                    ) from error
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)
