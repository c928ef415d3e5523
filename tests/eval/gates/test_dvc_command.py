"""DVC as `dust repro` starts it writes its lock whole or not at all."""

import os
import signal
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from dust_eval.gates import dvc_command


def test_a_lock_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dvc.utils.serialize._common", "dvc.utils.serialize._yaml"):
        monkeypatch.setattr(f"{name}._dump_data", import_module(name)._dump_data)
    dvc_command.write_atomically()
    from dvc.utils.serialize import modify_yaml

    lock = tmp_path / "dvc.lock"
    lock.write_text("schema: '2.0'\nstages: {}\n")
    with lock.open() as reader:
        with modify_yaml(lock) as data:
            data["stages"]["P0-1"] = {"cmd": "dust run P0-1"}
        assert reader.read() == "schema: '2.0'\nstages: {}\n"
    assert lock.read_text() == "schema: '2.0'\nstages:\n  P0-1:\n    cmd: dust run P0-1\n"

    class Unwritable:
        """What no YAML holds, which DVC notices in the middle of the file."""

    with pytest.raises(Exception, match="represent"), modify_yaml(lock) as data:
        data["stages"]["P0-2"] = Unwritable()
    assert lock.read_text() == "schema: '2.0'\nstages:\n  P0-1:\n    cmd: dust run P0-1\n"


def test_ctrl_c_while_it_loads_ends_it_without_a_traceback() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "dust_eval.gates.dvc_command", "--version"],
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")


@pytest.mark.parametrize("shell", [None, "/bin/sh"])
def test_a_stage_starts_with_ctrl_c_blocked(tmp_path: Path, shell: str | None) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    says = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    stage = f"stages:\n  mask:\n    cmd: {sys.executable} -c '{says}' > mask.txt\n"
    (tmp_path / "dvc.yaml").write_text(stage)
    command = [sys.executable, "-m", "dust_eval.gates.dvc_command", "repro", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name != "SHELL"}
    if shell is not None:
        environment["SHELL"] = shell
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert "SIGINT" in (tmp_path / "mask.txt").read_text()


def test_what_an_interrupt_left_half_made_says_nothing_when_it_goes(tmp_path: Path) -> None:
    """A bar of progress that Ctrl-C stops in its constructor has no postfix to clear."""
    program = """
        import os, signal, sys
        from dust_eval.gates import dvc_command

        class Half:
            def __init__(self):
                os.kill(os.getpid(), signal.SIGINT)

            def __del__(self):
                self.postfix["info"] = ""

        signal.signal(signal.SIGINT, dvc_command._interrupt)
        try:
            Half()
        except KeyboardInterrupt:
            sys.exit(130)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "")


def test_what_a_kill_left_among_the_runs_stops_nothing(tmp_path: Path) -> None:
    """A kill between the folder of a run and its entry, or in the middle of the entry."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    writes = "echo run >> times.txt; echo made > a.txt"
    (tmp_path / "read.txt").write_text("read\n")
    stage = f"  a:\n    cmd: {writes}\n    deps: [read.txt]\n    outs: [a.txt]\n"
    (tmp_path / "dvc.yaml").write_text(f"stages:\n{stage}")
    command = [sys.executable, "-m", "dust_eval.gates.dvc_command", "repro", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True)
    (entry,) = tmp_path.glob(".dvc/cache/runs/*/*/*")
    whole = entry.read_text()

    def again() -> int:
        (tmp_path / "dvc.lock").unlink()
        subprocess.run(command, cwd=tmp_path, check=True)
        assert (tmp_path / "a.txt").read_text() == "made\n"
        return len((tmp_path / "times.txt").read_text().split())

    part = entry.with_name(f".{entry.name}.part")
    part.write_text(whole[: whole.index("outs:")])
    os.utime(part, (entry.stat().st_mtime + 9,) * 2)
    assert again() == 1  # taken from the whole entry, which is not the last file there
    part.unlink()
    entry.unlink()
    assert again() == 2
    assert entry.read_text() == whole
