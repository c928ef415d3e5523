"""`dust` and its standard streams: what steers a terminal, and streams that are full or closed."""

import ast
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

DUST = (sys.executable, "-m", "dust_core")
PACKAGES = Path(__file__).parents[2] / "packages"
FULL = Path("/dev/full")


def run(command: list[str], tmp_path: Path, **streams: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(command, check=False, text=True, env=environment, cwd=tmp_path, **given)  # type: ignore[call-overload,no-any-return]


def in_a_shell(redirections: str, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *DUST, *words]
    done = run(command, tmp_path)
    assert not (tmp_path / "state").exists(), "a traceback was written"
    assert "Traceback" not in done.stderr + done.stdout
    return done


def on_a_terminal(*words: str) -> str:
    """What a terminal receives."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [*DUST, *words])
    received = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        received += part
    os.waitpid(process, 0)
    os.close(terminal)
    return received.decode()


@pytest.mark.parametrize("name", ["a\x1b]0;mine\x07", "a\u202eb", "a\rb", "ze\u200bro"])
def test_a_terminal_gets_our_colours_and_no_orders_of_a_name(name: str) -> None:
    received = on_a_terminal("inspect", name)
    escaped = name.encode("ascii", "backslashreplace").decode().replace("\x1b", "\\x1b")
    assert escaped.replace("\x07", "\\x07").replace("\r", "\\x0d") in received
    assert "\x1b[1;31merror" in received
    rest = received.replace("\x1b[1;31m", "").replace("\x1b[0m", "").replace("\r\n", "\n")
    assert rest.replace("\n", "").isprintable()


def test_options_and_verbs_that_are_unknown_give_no_orders_either() -> None:
    for words in (["inspect", "a", "--si\x1b[2J"], ["ver\x1b[2Jb"], ["inspect", "a", "\x1b[2J"]):
        assert "\x1b[2J" not in on_a_terminal(*words)


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_output_is_a_message_and_a_full_error_nothing(tmp_path: Path) -> None:
    done = in_a_shell(">/dev/full", tmp_path, "--help")
    assert done.returncode == 2
    assert "cannot write to standard output: No space left" in done.stderr
    for redirections in ("2>/dev/full", ">/dev/full 2>&1"):
        assert in_a_shell(redirections, tmp_path, "inspect", "absent").returncode == 2


def test_a_reader_that_is_gone_ends_a_command_as_a_signal_would(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run([*DUST, "--help"], tmp_path, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_closed_streams_change_nothing_else(tmp_path: Path) -> None:
    assert in_a_shell(">&- <&-", tmp_path, "--version").returncode == 0
    assert in_a_shell("2>&-", tmp_path, "inspect", "absent").returncode == 2
    assert in_a_shell(">&- 2>&- <&-", tmp_path, "inspect", "absent").returncode == 2


def test_what_is_written_to_a_closed_output_is_in_no_file(tmp_path: Path) -> None:
    code = (
        "import os; from dust_core.streams import visible_streams\n"
        "with visible_streams():\n"
        "    file = open('kept', 'wb'); print('x')\n"
        "    os.write(1, b'from a library'); os.write(2, b'from a library')\n"
    )
    run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code], tmp_path)
    assert (tmp_path / "kept").read_bytes() == b""


def test_a_name_that_is_not_utf8_is_shown_in_every_encoding(tmp_path: Path) -> None:
    done = run([*DUST, "inspect", b"nam\xe9"], tmp_path)  # type: ignore[list-item]
    assert "nam\\xe9: the path is not UTF-8" in done.stderr
    command = ["env", "PYTHONIOENCODING=ascii", *DUST, "inspect", "Größe…"]
    assert "Gr\\xf6\\xdfe\\u2026: no such" in run(command, tmp_path).stderr


def test_a_fault_with_such_a_name_has_its_traceback(tmp_path: Path) -> None:
    code = "from dust_core.cli import _write_traceback; print(_write_traceback(['a\\udcff']))"
    log = Path(run([sys.executable, "-c", code], tmp_path).stdout.strip())
    assert "dust" in log.read_text()
    assert "a\\udcff" in log.read_text()


def test_every_bar_is_on_our_console() -> None:
    """A bar without a console takes rich's own, which reads markup and steers the terminal."""
    for path in sorted(PACKAGES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Progress", "track"):
                assert "console" in {word.arg for word in node.keywords}, f"{path}:{node.lineno}"
