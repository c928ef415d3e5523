"""Imports that are ended from outside."""

import subprocess
import sys
from pathlib import Path

# The first process waits with its workers idle, as it does while it writes a long scene.
PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from dust_core.pairs.importing.adapters import Scene
from dust_core.pairs.importing.parallel import in_processes, processes

def make(scene, tally):
    yield {"1.txt": b"a"}

if __name__ == "__main__":
    scenes = iter([Scene(name, dict) for name in "abcd"])
    with processes(2) as readers:
        made = in_processes(scenes, make, readers, Path(sys.argv[1]))
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
