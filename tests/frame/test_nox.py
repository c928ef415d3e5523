"""noxfile.py: the sessions that the documentation names, and the exit codes that they end with."""

import os
import re
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
