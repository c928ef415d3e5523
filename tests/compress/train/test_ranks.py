"""Ranks end as the one that failed does, or as the signal says, without a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_RANK = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
rank, word = os.environ["RANK"], sys.argv[1]
pathlib.Path(f"rank{rank}of{os.environ['WORLD_SIZE']}").touch()
if word == "wait":
    time.sleep(60)
    sys.exit(1)
sys.exit(int(word) if rank == "1" else 0)
"""


def ranks(folder: Path, word: str) -> "subprocess.Popen[str]":
    (folder / "a_rank.py").write_text(_RANK)
    return subprocess.Popen(
        [sys.executable, "-m", "dust_compress.train.ranks", "2", "a_rank", word],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("code", [0, 2])
def test_the_code_is_that_of_the_rank_that_failed(code: int, tmp_path: Path) -> None:
    process = ranks(tmp_path, str(code))
    assert process.communicate() == (None, "")
    assert process.returncode == code
    assert {path.name for path in tmp_path.glob("rank*")} == {"rank0of2", "rank1of2"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_ranks(number: signal.Signals, tmp_path: Path) -> None:
    process = ranks(tmp_path, "wait")
    while len(list(tmp_path.glob("rank*"))) < 2 and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, number)
    assert process.communicate() == (None, "")
    assert process.returncode == 128 + number
