"""One run at a time: two would share the processor and spoil each other's timings."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dust_core.errors import DustError


@contextmanager
def only_run(lock: Path, purpose: str) -> Iterator[None]:
    """Hold `lock` for the block and write the purpose in it; it is free once the process ends.

    Raises:
        DustError: another process holds the lock; the message has its id, purpose and start time.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DustError(
            f"cannot take the lock: {error.strerror}",
            where=str(lock),
            fix="choose a folder that you can write to",
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 500).decode("utf-8", "replace").strip()
            raise DustError(
                f"another run is under way: {holder or 'it has just started'}",
                where=str(lock),
                fix="wait until it has ended, or end it; the lock ends with its process",
            ) from error
        started = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(handle, 0)
        os.write(handle, f"{purpose}, process {os.getpid()}, since {started}".encode())
        yield
    finally:
        os.close(handle)
