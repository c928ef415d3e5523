"""Two runs at a time: the second is refused and told who is first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dust_core.declared.locks import only_run
from dust_core.errors import DustError


def test_a_second_run_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    lock = tmp_path / "artifacts" / ".lock"
    with (
        only_run(lock, "dust run K-1"),
        pytest.raises(DustError) as refused,
        only_run(lock, "dust run K-2"),
    ):
        pass
    assert f"another run is under way: dust run K-1, process {os.getpid()}, since" in str(
        refused.value
    )
    assert refused.value.exit_code == 2


def test_the_lock_is_free_after_the_run(tmp_path: Path) -> None:
    for purpose in ("first", "second"):
        with only_run(tmp_path / ".lock", purpose):
            assert (tmp_path / ".lock").read_text().startswith(purpose)


def test_a_killed_run_frees_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys, os, pathlib; from dust_core.declared.locks import only_run\n"
        "with only_run(pathlib.Path(sys.argv[1]), 'killed'):\n"
        "    os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / ".lock"])
    assert killed.returncode == -9
    with only_run(tmp_path / ".lock", "next"):
        pass


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file, not a folder")
    with (
        pytest.raises(DustError, match="cannot take the lock"),
        only_run(tmp_path / "artifacts" / ".lock", "run"),
    ):
        pass
