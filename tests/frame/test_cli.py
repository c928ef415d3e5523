"""`dust`: what it prints, what it loads, and the exit codes it leaves with."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dust_core import __version__


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder that, on the path, is an installed package with verbs of its own."""
    (tmp_path / "demo_verbs.py").write_text(
        textwrap.dedent('''
        """Verbs for trying things out."""
        import os, signal
        import typer
        from dust_core.errors import DustError

        many = typer.Typer()

        @many.command()
        def one(): print("one of many")

        @many.command()
        def two(): print("two of many")

        def greet(name: str = "world"):
            """Say hello.

            And nothing else.
            """
            print(f"hello {name}")

        def refuse():
            """Say no."""
            raise DustError("the line is missed", where="specs/v1/x.yaml:3:5", fix="train longer "
                            * 20, exit_code=1)

        def break_down():
            """Raise what nobody foresaw."""
            raise ZeroDivisionError("division by nought")

        def lack():
            """Import what is not there."""
            import a_package_nobody_has

        def interrupt():
            """Be interrupted."""
            raise KeyboardInterrupt

        class Closing:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGTERM)
                for _ in range(1000):
                    pass

        class Half:
            def __init__(self):
                os.kill(os.getpid(), signal.SIGINT)
                self.whole = {}

            def __del__(self):
                self.whole.clear()

        def half():
            """Be interrupted in a constructor."""
            Half()

        def swallow():
            """Be interrupted where Python loses exceptions."""
            closing = Closing()
            del closing
            signal.pause()

        def wrap():
            """Be interrupted in a library that makes an error of its own of it."""
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
            except BaseException as error:
                raise RuntimeError("callback failed") from error
        ''')
    )
    (tmp_path / "demo_heavy.py").write_text('"""Heavy verbs."""\nraise RuntimeError\n')
    info = tmp_path / "demo-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent("""
        [dust.commands]
        greet = demo_verbs:greet
        refuse = demo_verbs:refuse
        break-down = demo_verbs:break_down
        lack = demo_verbs:lack
        interrupt = demo_verbs:interrupt
        half = demo_verbs:half
        swallow = demo_verbs:swallow
        wrap = demo_verbs:wrap
        many = demo_verbs:many
        heavy = demo_heavy:app
        """)
    )
    return tmp_path


def dust(*arguments: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`dust` in a process of its own, with the package in `path` installed."""
    return subprocess.run(
        [sys.executable, "-m", "dust_core", *arguments],
        capture_output=True,
        text=True,
        cwd=path,
        env={"PYTHONPATH": str(path), "XDG_STATE_HOME": str(path / "state"), **environment},
    )


def test_help_lists_every_verb_with_its_first_line_and_loads_none(plugin: Path) -> None:
    done = dust("--help", path=plugin)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert ["greet", "Say hello."] in lines
    assert ["many", "Verbs for trying things out."] in lines
    assert ["heavy", "Heavy verbs."] in lines
    assert ["run", "Execute one task and print its verdicts."] in lines


def test_help_imports_nothing_but_the_libraries_of_the_command_line(plugin: Path) -> None:
    """Help is as quick as what it imports; seconds would measure the machine."""

    def modules(*arguments: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *arguments],
            cwd=plugin,
            capture_output=True,
            text=True,
            check=True,
        )
        return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}

    libraries = modules("-c", "import typer, importlib.metadata")
    more = modules("-m", "dust_core", "--help") - libraries
    roots = {name.partition(".")[0] for name in more} - sys.stdlib_module_names
    assert roots <= {"dust_core", "typer"}
    assert len(more) < 20, sorted(more)


def test_start_up_imports_nothing_heavy(plugin: Path) -> None:
    code = (
        "import sys; from dust_core.cli import build_app; build_app(['--help']);"
        "print({'torch', 'numpy', 'scipy', 'cv2', 'dvc', 'pydantic', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_version(plugin: Path) -> None:
    assert dust("--version", path=plugin).stdout == f"dust {__version__}\n"


def test_a_verb_takes_its_options(plugin: Path) -> None:
    assert dust("greet", "--name", "you", path=plugin).stdout == "hello you\n"


def test_a_verb_can_have_verbs(plugin: Path) -> None:
    assert dust("many", "two", path=plugin).stdout == "two of many\n"


def test_an_error_is_one_message_with_its_exit_code(plugin: Path) -> None:
    done = dust("refuse", path=plugin)
    assert done.returncode == 1
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first == "error: specs/v1/x.yaml:3:5: the line is missed"
    assert second.startswith("  fix: train longer train longer")


def test_a_fault_names_the_log_that_holds_its_traceback(plugin: Path) -> None:
    done = dust("break-down", path=plugin)
    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert line.startswith("fault: ZeroDivisionError: division by nought; the traceback is in ")
    log = Path(line.rpartition(" in ")[2])
    assert log.is_relative_to(plugin / "state")
    assert "in break_down" in log.read_text()


@pytest.mark.parametrize("path", ["a" * 300, "a/" * 3000])
def test_a_name_that_no_file_can_have_is_an_error(path: str, plugin: Path) -> None:
    done = dust("inspect", path, path=plugin)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no file can have so long a name: {len(path.rstrip('/'))} bytes" in done.stderr
    assert len(done.stderr) < 400


def test_a_working_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; "$0" -m dust_core inspect a.pth'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "error: the working folder no longer exists" in done.stderr


def test_a_missing_package_is_named(plugin: Path) -> None:
    done = dust("lack", path=plugin)
    assert done.returncode == 2
    assert "a_package_nobody_has" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_is_one_line(plugin: Path) -> None:
    done = dust("interrupt", path=plugin)
    assert done.returncode == 130
    assert done.stderr == (
        "interrupted: by SIGINT; files already written are whole, and the same command goes on "
        "from them\n"
    )


def test_ctrl_c_while_dust_loads_ends_it_without_a_traceback(tmp_path: Path) -> None:
    """Ctrl-C comes while a library is imported, one that DUST needs for every verb."""
    sent = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)\n"
    (tmp_path / "typer.py").write_text(sent)
    done = dust("rules", path=tmp_path)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_what_a_signal_left_half_made_says_nothing_when_it_goes(plugin: Path) -> None:
    done = dust("half", path=plugin)
    assert done.returncode == 130
    assert done.stderr.startswith("interrupted: by SIGINT")
    assert done.stderr.count("\n") == 1


def test_a_signal_that_was_blocked_while_dust_loaded_is_handled(tmp_path: Path) -> None:
    """As `dust repro` starts what it runs."""
    late = """
        import os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)
        from dust_core.cli import main
        main(["rules"])
    """
    command = [sys.executable, "-c", textwrap.dedent(late)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("interrupted: by SIGINT")


@pytest.mark.parametrize("verb", ["swallow", "wrap"])
def test_a_signal_that_is_swallowed_ends_the_process_all_the_same(verb: str, plugin: Path) -> None:
    done = dust(verb, path=plugin)
    assert done.returncode == 143
    assert done.stderr.startswith("interrupted: by SIGTERM; files already written are whole")
    assert done.stderr.count("\n") == 1


def test_an_unknown_verb_gets_the_nearest_and_where_others_come_from(plugin: Path) -> None:
    done = dust("gret", path=plugin)
    assert done.returncode == 2
    assert "no installed package has the verb 'gret'; did you mean 'greet'?" in done.stderr
    assert "dust-eval" in done.stderr


def test_two_packages_may_not_claim_one_verb(plugin: Path) -> None:
    rival = plugin / "rival-1.0.dist-info"
    rival.mkdir()
    (rival / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (rival / "entry_points.txt").write_text("[dust.commands]\ngreet = demo_verbs:refuse\n")
    done = dust("greet", path=plugin)
    assert done.returncode == 2
    assert "two installed packages claim 'greet'" in done.stderr
