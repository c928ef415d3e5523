"""Write files atomically, and hash them."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from dust_core.errors import DustError

_PART = ".part"
_SECONDS_OF_GRACE = 60.0
_FULL_BYTES = 65_536


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder that replaces `path` if the block succeeds.

    A reader sees the old file or the new file, never a part. On any error (a full disk, Ctrl-C) the
    temporary file is removed and `path` is unchanged. A process that is killed leaves the temporary
    file, which `sweep_parts` removes.

    Raises:
        DustError: the operating system refused the write (disk full, no permission).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_SH)  # until it is closed, however this process ends
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except Exception as error:
        refusal = _refusal(error, path.parent)
        if refusal is None:
            raise
        raise _unwritable(path, refusal) from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def writing_in_place(path: Path) -> Iterator[None]:
    """A block in which a library writes files at or below `path` by itself.

    Raises:
        DustError: the operating system refused a write, with exit code 1: the run that this belongs
            to has its own files, and goes on from them.
    """
    try:
        yield
    except Exception as error:
        refusal = _refusal(error, path.parent)
        if refusal is None:
            raise
        raise DustError(
            f"cannot write here: {refusal.strerror or refusal}",
            where=str(path),
            fix="free some space and repeat the command: it goes on from what is saved",
            exit_code=1,
        ) from error


def sweep_parts(folder: Path) -> int:
    """Remove the temporary files that killed processes left in a folder and below it.

    Returns:
        How many there were.
    """
    swept = 0
    for part in folder.rglob(f".*{_PART}"):
        try:
            if part.is_symlink() or not part.is_file():
                continue
            with part.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A library may have put a file of its own in the place of the one that is held.
                if time.time() - part.stat().st_mtime > _SECONDS_OF_GRACE:
                    part.unlink()
                    swept += 1
        except OSError:
            continue
    return swept


def atomic_write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; see `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def atomic_write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically; see `atomic_path`.

    A byte of a name that is not UTF-8 becomes `\\udcff`, which JSON reads as Python's name.
    """
    atomic_write_bytes(path, content.encode("utf-8", "backslashreplace"))


def require_folder(folder: Path) -> None:
    """Prove, before long work, that no file stands where a folder is to be.

    Raises:
        DustError: one does, there or above.
    """
    for path in (folder, *folder.parents):
        if path.is_dir():
            return
        if path.exists():
            raise DustError(
                "it is a file, not a folder", where=str(path), fix="name another folder"
            )


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        DustError: the file cannot be read, or is no regular file.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is no regular file")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DustError(
            f"cannot read the file: {error.strerror}", where=str(path), fix="check the path"
        ) from error


def _refusal(error: Exception, folder: Path) -> OSError | None:
    """The refusal of the system behind an error; None if it has another cause.

    PyTorch makes a RuntimeError of it, in places after it has lost it.
    """
    cause: BaseException | None = error
    while isinstance(cause, RuntimeError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError):
        return cause
    if isinstance(error, RuntimeError) and shutil.disk_usage(folder).free < _FULL_BYTES:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None


def _unwritable(path: Path, error: OSError) -> DustError:
    return DustError(
        f"cannot write the file: {error.strerror or error}",
        where=str(path),
        fix="free some space or choose a folder you can write to; nothing was changed",
    )


def sha256_of_code(*packages: ModuleType) -> str:
    """The SHA-256 of the packages' own modules, in hexadecimal."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
