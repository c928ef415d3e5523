"""Write files atomically, and hash them."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from dust_core.errors import DustError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder that replaces `path` if the block succeeds.

    A reader sees the old file or the new file, never a part. On any error (a full disk, Ctrl-C) the
    temporary file is removed and `path` is unchanged.

    Raises:
        DustError: the operating system refused the write (disk full, no permission).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; see `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def atomic_write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically; see `atomic_path`."""
    atomic_write_bytes(path, content.encode("utf-8"))


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        DustError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DustError(
            f"cannot read the file: {error.strerror}", where=str(path), fix="check the path"
        ) from error


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
