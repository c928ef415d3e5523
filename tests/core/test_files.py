"""Files under faults: a full disk, a killed writer, what is no file at all."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from dust_core.errors import DustError
from dust_core.files import atomic_path, sha256_file, sweep_parts, writing_in_place


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 10, 4096, 100_000, 1_500_000])
def test_a_full_disk_is_one_message_and_the_old_file_stays(size: int, tmp_path: Path) -> None:
    """PyTorch raises an error of its own, which says nothing of the disk."""
    path = tmp_path / "a.pt"
    path.write_bytes(b"the old one")
    with (
        pytest.raises(DustError, match=r"a\.pt: cannot write the file: File too large"),
        disk_of(size),
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
    ):
        torch.save({"a": torch.zeros(400_000)}, file)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]
    assert path.read_bytes() == b"the old one"


def test_an_error_of_the_block_itself_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), atomic_path(tmp_path / "a"):
        raise RuntimeError("mine")


def test_a_library_that_cannot_write_is_one_message(tmp_path: Path) -> None:
    with (
        pytest.raises(DustError, match="cannot write here: File too large") as caught,
        disk_of(0),
        writing_in_place(tmp_path / "metrics"),
    ):
        (tmp_path / "metrics").write_text("1")
    assert caught.value.exit_code == 1


def test_what_a_killed_writer_left_is_swept_and_what_is_being_written_stays(
    tmp_path: Path,
) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from dust_core.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    below = tmp_path / ".work" / "state.pt"
    killed = subprocess.run([sys.executable, "-c", code, below], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = below.parent.iterdir()
    assert sweep_parts(tmp_path) == 0  # it might be written at this moment
    earlier = time.time() - 3600
    os.utime(left, (earlier, earlier))
    with atomic_path(tmp_path / "b.json") as part:
        part.write_text("slow")
        os.utime(part, (earlier, earlier))
        assert sweep_parts(tmp_path) == 1
    assert not left.exists() and (tmp_path / "b.json").read_text() == "slow"


def test_a_pipe_is_no_file_to_hash(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(DustError, match="it is no regular file"):
        sha256_file(tmp_path / "a.json")
