"""Imports that are ended from outside."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import adapter_room as room
import pytest

from dust_core.pairs.importing.commands import import_
from dust_core.pairs.importing.importer import Step, samples

# The first process waits with its workers idle, as it does while it writes a long scene.
PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from dust_core.pairs.importing.adapters import Scene
from dust_core.pairs.importing.parallel import in_processes

def make(scene, tally):
    yield {"1.txt": b"a"}

if __name__ == "__main__":
    scenes = iter([Scene(name, dict) for name in "abcd"])
    made = in_processes(scenes, make, 2, Path(sys.argv[1]))
    next(made)
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_workers_end_with_the_process_that_began_them(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    begun = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", tmp_path / "scenes"], **pipes
    )
    assert begun.stdout is not None
    assert begun.stdout.readline() == b"ready\n"
    begun.kill()
    # The workers hold the pipe, too: it ends once all of them have ended.
    assert begun.communicate(timeout=10)[0] == b""


def test_a_request_to_end_is_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = room.seven_scenes(tmp_path)
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))

    def end(step: Step) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def ended(*arguments: Any, on_step: Any, **named: Any) -> Any:
        return samples(*arguments, on_step=end, **named)

    monkeypatch.setattr("dust_core.pairs.importing.run.samples", ended)
    try:
        with pytest.raises(KeyboardInterrupt):
            import_(made.layout, made.source, tmp_path / "shards", side=32, jobs=2, **made.options)
        assert not (tmp_path / "shards" / ".unfinished" / "scenes").exists()
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]  # as before the import
    finally:
        signal.signal(signal.SIGTERM, before)
