"""SIGINT and SIGTERM: one handler for the process, and a process that ends with its starter."""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)

STARTER = "DUST_STARTER"
"""The environment variable with the number of the process that this one shall not outlive."""

_SECONDS_TO_UNWIND = 0.05


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end. Like Ctrl-C, it passes every `except Exception`."""


class StopSignals:
    """What the handler received.

    Attributes:
        received: the first signal; None where none came.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._waits = True

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as shells count: 130 for Ctrl-C, 143 for SIGTERM."""
        return exit_code_of(self.received or signal.SIGINT)

    def unblock(self) -> None:
        """Let through what came while the process loaded, and end with the starter from now on.

        Call it where `Stopped` is caught: before, the handler notes a signal and raises nothing.

        Raises:
            Stopped: one came in the meantime.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        self._waits = False
        if self.received is not None:
            raise Stopped(self.received.name)
        starter = os.environ.get(STARTER, "")
        if starter.isdigit():
            _end_with(int(starter))
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise `Stopped` wherever the main thread is, once signals are let through."""
        self.received = self.received or signal.Signals(number)
        if self._waits:
            return
        raise Stopped(signal.Signals(number).name)


def exit_code_of(number: signal.Signals) -> int:
    """The exit code of a process that a signal ended."""
    return 128 + number


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Turn SIGINT and SIGTERM into `Stopped` for the block, from its call of `unblock` on.

    An exception in a destructor is printed and lost. If that was `Stopped`, it is raised again
    shortly after. Others are printed, but not after a signal. In a thread other than the main
    thread the block has no handler.
    """
    stop = StopSignals()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    handlers = {number: signal.signal(number, stop.handle) for number in STOPPING}
    hook = sys.unraisablehook

    def raise_again(lost: Any) -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            # What was stopped while it was made fails once more when it is destroyed.
            if stop.received is None:
                hook(lost)
            return
        number = stop.received or signal.SIGINT
        again = threading.Timer(_SECONDS_TO_UNWIND, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()

    sys.unraisablehook = raise_again
    try:
        yield stop
    finally:
        if stop.received is None:
            sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end_with(process: int) -> None:
    """Send SIGTERM to this process when another one is gone, on systems that can tell (Linux)."""
    if not hasattr(os, "pidfd_open"):
        return
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    except OSError:
        return

    def wait() -> None:
        gone = select.poll()
        gone.register(handle, select.POLLIN)
        gone.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="ends with its starter").start()
