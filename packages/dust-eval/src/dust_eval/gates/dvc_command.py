"""`dvc`, as `dust repro` starts it: `python -m dust_eval.gates.dvc_command repro P0-1`.

It differs from `dvc` in seven points. It takes several commands with `--then` between them, of
which each runs if the one before succeeded. It is interrupted when the process that started it is
gone (Linux). It writes YAML atomically: DVC itself empties dvc.lock before it writes it, and a
process that is killed there loses what was executed. Its stages start with SIGINT blocked; `dust`
unblocks it when it can handle it. In the cache of runs it passes over what a kill left there: a
folder without an entry, with which DVC itself does not go on, and a part of an entry. With
`--terse` first it does not say what `dust repro` and the stages say. Before it pulls, it asks the
remote once, and ends with `EXIT_SAID` if that cannot be used.
"""

import ctypes
import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from dust_core.cli import print_error
from dust_core.errors import DustError
from dust_core.files import atomic_path
from dust_core.stopping import STARTER, STOPPING
from dust_eval.gates.dvc_remote import EXIT_SAID, require_remote

TERSE = "--terse"
THEN = "--then"
"""What is between two commands."""

_PR_SET_PDEATHSIG = 1
_WRITER = "_dump_data"
_STARTS = "prepare_kwargs"
_ENTRY = re.compile(r"[0-9a-f]{64}")  # SHA-256 of what it holds, which is its name
_SAID = {
    "dvc.stage": ("didn't change, skipping",),
    "dvc.stage.run": ("Running stage", "%s %s"),  # the latter shows the command
    "dvc.repo.scm_context": ("To track the changes with git", "To enable auto staging"),
    "dvc.dvcfile": ("Generating lock file", "Updating lock file"),
    **dict.fromkeys(  # which --allow-missing allows
        ("dvc.data_cloud", "dvc_data.index.fetch"), ("Some of the cache files do not exist",)
    ),
}
"""Messages that somebody else says better, by their loggers: parts of their templates."""
_SAYS_LAST = "Use `dvc push`"
_WRITERS = ("dvc.utils.serialize._common", "dvc.utils.serialize._yaml")


def _end_with_starter() -> None:
    starter = os.environ.get(STARTER, "")
    if not (sys.platform == "linux" and starter.isdigit()):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
    if os.getppid() != int(starter):  # it was gone before the call
        sys.exit(128 + signal.SIGINT)


def write_atomically() -> None:
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


def _block_in_stages() -> None:
    module = import_module("dvc.stage.run")
    arguments: Callable[..., dict[str, Any]] = getattr(module, _STARTS)

    def blocked(*given: Any, **named: Any) -> dict[str, Any]:
        return arguments(*given, **named) | {"preexec_fn": _block}

    setattr(module, _STARTS, blocked)
    # DVC starts stages with $SHELL or sh. dash, the sh of Debian, unblocks all signals at start.
    if bash := shutil.which("bash"):
        os.environ["SHELL"] = bash


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _find_whole_runs() -> None:
    module = import_module("dvc.stage.cache")

    def load(cache: Any, stage: Any) -> Any:
        """DVC's method `_load`: the last run of a stage with these inputs; None for none."""
        key = module._get_stage_hash(stage)
        folder = Path(cache._get_cache_dir(key))
        entries = [path for path in folder.glob("*") if _ENTRY.fullmatch(path.name)]
        newest = max(entries, key=lambda path: path.stat().st_mtime, default=None)
        return None if newest is None else cache._load_cache(key, newest.name)

    module.StageCache._load = load


def _say_less() -> None:
    for name, parts in _SAID.items():
        logging.getLogger(name).addFilter(partial(_is_news, parts))
    ui: Any = import_module("dvc.ui").ui
    write: Callable[..., None] = ui.write

    def write_news(*words: Any, **how: Any) -> None:
        listed = how.get("sep") == "\t"  # a file that was added, deleted or changed
        if not listed and not str(words[0] if words else "").startswith(_SAYS_LAST):
            write(*words, **how)

    ui.write = write_news


def _is_news(parts: Sequence[str], record: logging.LogRecord) -> bool:
    return not any(part in str(record.msg) for part in parts)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # What is stopped while it is made fails once more when it is destroyed: a progress bar.
    sys.unraisablehook = lambda _: None
    raise KeyboardInterrupt


def _load() -> None:
    """Import most of DVC, and change how it writes and starts stages."""
    for name in ("dvc.cli", "dvc.repo", "dvc.commands.repro"):
        import_module(name)
    write_atomically()
    _block_in_stages()
    _find_whole_runs()


def _require_remote() -> None:
    try:
        require_remote()
    except DustError as error:
        print_error(error)
        sys.exit(EXIT_SAID)


def _commands(words: Sequence[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if word == THEN:
            yield command
            command = []
        else:
            command.append(word)
    yield command


def _run(commands: Iterator[list[str]]) -> int:
    main: Callable[[list[str]], int] = import_module("dvc.cli").main
    for command in commands:
        if code := main(command):
            return code
    return 0


if __name__ == "__main__":
    _end_with_starter()
    _load()
    if terse := sys.argv[1:2] == [TERSE]:
        _say_less()
    sys.argv[:] = ["dvc", *sys.argv[1 + terse :]]
    # What a shell starts in the background ignores Ctrl-C, and so would this.
    signal.signal(signal.SIGINT, _interrupt)
    try:
        # The starter blocked them: an import that Ctrl-C interrupts can fail in any way.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        if {"pull", "--pull"} & set(sys.argv):
            _require_remote()
        sys.exit(_run(_commands(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
