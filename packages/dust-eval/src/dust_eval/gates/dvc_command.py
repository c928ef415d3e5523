"""`dvc`, as `dust repro` starts it: `python -m dust_eval.gates.dvc_command repro P0-1`.

It differs from `dvc` in two points. It is interrupted when the process that started it is gone
(Linux). It writes YAML atomically: DVC itself empties dvc.lock before it writes it, and a process
that is killed there loses what was executed.
"""

import ctypes
import os
import runpy
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from dust_core.files import atomic_path
from dust_core.stopping import STARTER

_PR_SET_PDEATHSIG = 1
_WRITER = "_dump_data"
_WRITERS = ("dvc.utils.serialize._common", "dvc.utils.serialize._yaml")


def _end_with_starter() -> None:
    starter = os.environ.get(STARTER, "")
    if not (sys.platform == "linux" and starter.isdigit()):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
    if os.getppid() != int(starter):  # it was gone before the call
        sys.exit(128 + signal.SIGINT)


def _write_atomically() -> None:
    for name in _WRITERS:
        module = import_module(name)
        if hasattr(module, _WRITER):
            setattr(module, _WRITER, _dump_data)


def _dump_data(path: Any, data: Any, dumper: Any, fs: Any = None, **arguments: Any) -> None:
    """DVC's function of this name, to a file that takes its place when it is whole."""
    with (
        atomic_path(Path(os.fspath(path))) as temporary,
        temporary.open("w", encoding="utf-8") as stream,
    ):
        dumper(data, stream, **arguments)


def _load_quietly() -> None:
    """Import most of DVC. An import that Ctrl-C interrupts can fail in any way: end at once."""
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    for name in ("dvc.cli", "dvc.repo", "dvc.commands.repro"):
        import_module(name)
    _write_atomically()
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    _end_with_starter()
    _load_quietly()
    sys.argv[0] = "dvc"
    try:
        runpy.run_module("dvc", run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
