"""noxfile.py: the sessions that the documentation names, and the exit codes that they end with."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def nox(*arguments: str) -> subprocess.CompletedProcess[str]:
    """nox on the project's noxfile, in the environment that runs the tests."""
    return subprocess.run(
        [sys.executable, "-m", "nox", *arguments],
        cwd=ROOT,
        env={**os.environ, "NOX_DEFAULT_VENV_BACKEND": "none"},
        capture_output=True,
        text=True,
    )


def test_the_sessions_are_those_of_the_readme() -> None:
    listed = dict(re.findall(r"^[-*] (\w+).* -> (.+)$", nox("--list").stdout, re.MULTILINE))
    stages = {f"p{number}" for number in range(6)}
    assert stages | {
        "tests",
        "lint",
        "specs",
        "repro",
        "report",
        "docs",
        "figures",
        "release",
        "wheels",
        "lock",
        "containers",
    } <= set(listed)


def test_a_session_ends_with_the_exit_code_of_its_program() -> None:
    done = nox("-s", "p3", "--", "--profile", "nonesuch")
    assert done.returncode == 2
    assert "there is no profile 'nonesuch'" in done.stderr
    assert "Traceback" not in done.stderr


SLOW_TO_END = """
import signal, sys, time
from pathlib import Path

def end(*_):
    time.sleep(1)  # a training that saves its state
    Path("saved").touch()
    sys.exit(130)

signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(60)
"""
STARTS_IT = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

spec = spec_from_file_location("noxfile", sys.argv[1])
module = module_from_spec(spec)
spec.loader.exec_module(module)
session = SimpleNamespace(log=print, cache_dir=Path("nox", "cache"))
module._run(session, sys.executable, "program.py")
"""


def test_after_ctrl_c_nox_waits_until_the_program_has_ended(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SLOW_TO_END)
    begun = subprocess.Popen(
        [sys.executable, "-c", STARTS_IT, str(ROOT / "noxfile.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert begun.stdout is not None
    assert any("ready" in line for line in begun.stdout)
    os.killpg(begun.pid, signal.SIGINT)  # as a terminal sends it: to both
    assert begun.wait() == 130
    assert (tmp_path / "saved").exists()
    begun.stdout.close()
