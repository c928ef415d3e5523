"""DVC as a child of `dust repro`: it ends with it, and gets the signals that it gets."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from dust_core.declared.dvc_files import keep_lock
from dust_core.errors import DustError
from dust_core.stopping import STARTER, STOPPING
from dust_eval.gates.dvc_command import TERSE
from dust_eval.gates.dvc_remote import EXIT_SAID


def run_dvc(profile: str, *arguments: str) -> None:
    """Run `dvc` with the environment's own programs first on the path, its output passed through.

    After Ctrl-C or SIGTERM the stage that runs is interrupted and saves what it can; DVC ends after
    it. A second signal ends both at once.

    Args:
        profile: its lock is kept after the run.

    Raises:
        DustError: DVC is not installed, or it failed; its output has the reason.
        SystemExit: its remote cannot be used, as the one message printed before says.
    """
    if find_spec("dvc") is None:
        raise DustError(
            "DVC is not installed, and it decides which stages are stale",
            fix="install the locked versions: pip install -r requirements.lock",
        )
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    variables = {**os.environ, "PATH": path, STARTER: str(os.getpid())}
    # The child unblocks them when it has loaded, and none comes here before it can be passed on.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        # A group of its own: the terminal's Ctrl-C comes here alone, and is passed on once.
        process = subprocess.Popen(
            [sys.executable, "-m", "dust_eval.gates.dvc_command", TERSE, *arguments],
            env=variables,
            process_group=0,
        )
    except OSError:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        raise
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        code = process.wait()
    except KeyboardInterrupt:
        _interrupt(process)
        raise
    finally:
        keep_lock(Path(), profile)
    if code == EXIT_SAID:
        raise SystemExit(code)
    if code:
        raise dvc_failed(*arguments)


def dvc_failed(*arguments: str) -> DustError:
    """The error for a command of DVC whose own messages, which were printed, have the reason."""
    return DustError(
        f"'dvc {' '.join(arguments)}' failed; the messages above say where",
        fix="correct that and repeat: stages that are done do not run again",
    )


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """End DVC and the stage that it runs: DVC passes over SIGINT until its stage has ended."""
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    except ProcessLookupError:
        process.wait()
