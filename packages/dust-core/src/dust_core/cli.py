"""The `dust` command: load only the verb on the command line, and print an error once.

Installed packages add verbs through the entry-point group `dust.commands`. The name is the verb.
The value is `module:function` (a typer function) or `module:app` (a `typer.Typer` with its own
verbs). Only the module of the verb on the command line is imported, so that help stays fast. The
one-line summaries of the other verbs are read from their source.

Exit codes: 0 done; 1 it ran and the answer is no; 2 the input or the
environment cannot be used; 3 a fault in DUST; the message names the log file with the traceback;
130 and 143 SIGINT (Ctrl-C) and SIGTERM ended it; 141 the reader of its output is gone.
"""

import ast
import errno
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dust_core import __version__
from dust_core.errors import DustError
from dust_core.stopping import StopSignals, stop_signals
from dust_core.streams import visible_streams

COMMAND_GROUP = "dust.commands"

EXIT_FAULT = 3
_EXIT_INTERRUPTED_IN_TYPER = 130
_SHOWN_OF_NAME = 80


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `dust` with `arguments` (default: the process's) and exit with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with visible_streams(), stop_signals() as stop:
        _run(words, stop)


def _run(words: list[str], stop: StopSignals) -> None:
    try:
        try:
            stop.unblock()
            _require_working_folder()
            # `color`: what would steer the terminal stays in the text, and is made visible.
            command = typer.main.get_command(build_app(words))
            command.main(args=words, prog_name="dust", color=True)
        finally:
            sys.stdout.flush()
    except SystemExit as ending:
        if ending.code != _EXIT_INTERRUPTED_IN_TYPER:
            raise
        _leave_interrupted(stop)
    except KeyboardInterrupt:
        _leave_interrupted(stop)
    except DustError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        if stop.received:  # a library may turn an interruption into an error of its own
            _leave_interrupted(stop)
        explained = _missing_package(error) or _too_long(error)
        if explained is not None:
            print_error(explained)
            sys.exit(explained.exit_code)
        log = _write_traceback(words)
        _print_line("fault", f"{type(error).__name__}: {error}; the traceback is in {log}")
        sys.exit(EXIT_FAULT)


def build_app(words: Sequence[str]) -> typer.Typer:
    """The typer application, with only the first verb in `words` loaded.

    Raises:
        DustError: no installed package has the verb, or two claim it.
    """
    app = typer.Typer(
        name="dust",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    asked = next((word for word in words if not word.startswith("-")), None)
    listed = asked is None or words[0] != asked  # an option before the verb may list the verbs
    verbs = plugins(COMMAND_GROUP)
    if asked is not None and asked not in verbs:
        raise _unknown_verb(asked, verbs)
    for name, entry in sorted(verbs.items()):
        if name == asked:
            verb = entry.load()
            if isinstance(verb, typer.Typer):
                app.add_typer(verb, name=name)
            else:
                app.command(name)(verb)
        else:
            app.command(name, help=_summary(entry) if listed else None)(_unloaded)
    return app


def plugins(group: str) -> dict[str, EntryPoint]:
    """The entry points of `group` by name, none of them loaded.

    Raises:
        DustError: two installed packages claim the same name with different code.
    """
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        rival = entries.setdefault(entry.name, entry)
        if rival.value != entry.value:
            raise DustError(
                f"two installed packages claim '{entry.name}': {rival.value} and {entry.value}",
                where=group,
                fix="uninstall one of the two",
            )
    return entries


def print_error(error: DustError) -> None:
    """Print `error` to standard error in one message, never wrapped, without a traceback."""
    _print_line("error", str(error))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dust {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Declared, reproducible compression of DUSt3R."""


def _unloaded() -> None:
    """A placeholder in the listing for a verb that is not on this command line."""


def _unknown_verb(asked: str, verbs: Iterable[str]) -> DustError:
    from difflib import get_close_matches

    near = get_close_matches(asked, verbs, n=1)
    return DustError(
        f"no installed package has the verb '{asked}'"
        + (f"; did you mean '{near[0]}'?" if near else ""),
        fix="'dust --help' lists the verbs; dust-eval and dust-compress add theirs when installed",
    )


def _summary(entry: EntryPoint) -> str:
    """The first line of a verb's docstring, read from its source without importing it."""
    package, *parts = entry.module.split(".")
    spec = find_spec(package)
    if spec is None:
        return ""
    sources = [Path(spec.origin)] if spec.origin and not parts else []
    for folder in spec.submodule_search_locations or () if parts else ():
        base = Path(folder, *parts)
        sources += [base.with_suffix(".py"), base / "__init__.py"]
    source = next((path for path in sources if path.is_file()), None)
    return _first_line(source.read_text(encoding="utf-8"), entry.attr) if source else ""


def _first_line(source: str, attribute: str) -> str:
    """The first line of the docstring of a function, or of the module that has no such function."""
    try:
        module = ast.parse(_part(source.splitlines(keepends=True), f"def {attribute}("))
    except SyntaxError:  # a line of the docstring looks like the next statement
        module = ast.parse(source)
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            text = ast.get_docstring(node)
            break
    else:
        text = ast.get_docstring(module)
    return (text or "").partition("\n")[0]


def _part(lines: Sequence[str], function: str) -> str:
    """The lines of a function, or those before a module's code if it has no such function.

    Parsing all modules as a whole would take a quarter of the time of help.
    """
    start = next((place for place, line in enumerate(lines) if line.startswith(function)), None)
    if start is None:
        code = ("import ", "from ", "def ", "class ", "@")
        return "".join(takewhile(lambda line: not line.startswith(code), lines))
    inside = takewhile(lambda line: line[0] in " \t\n)", lines[start + 1 :])
    return "".join((lines[start], *inside))


def _missing_package(error: Exception) -> DustError | None:
    """The error for an import without its optional package; it says what to install."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    if error.name.startswith("dust_") and find_spec(error.name.partition(".")[0]):
        return None
    return DustError(
        f"this needs the Python module '{error.name}', which is not installed",
        fix="install the package or extra that brings it (dust-core[torch], dust-core[data], "
        "dust-eval, dust-compress), or everything: pip install -r requirements.lock",
    )


def _too_long(error: Exception) -> DustError | None:
    """The error for a name that no file can have; `Path.is_dir` and its like raise it."""
    if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
        return None
    name = os.fsdecode(error.filename or "")
    return DustError(
        f"no file can have so long a name: {len(os.fsencode(name))} bytes",
        where=name if len(name) <= _SHOWN_OF_NAME else f"{name[:_SHOWN_OF_NAME]}...",
        fix="check the path; most file systems allow 255 bytes a name and 4095 a path",
    )


def _require_working_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise DustError(
            "the working folder no longer exists", fix="change to a folder that does"
        ) from error


def _leave_interrupted(stop: StopSignals) -> NoReturn:
    by = stop.received.name if stop.received else "SIGINT"
    _print_line(
        "interrupted",
        f"by {by}; files already written are whole, and the same command goes on from them",
    )
    sys.exit(stop.exit_code)


def _print_line(label: str, message: str) -> None:
    from rich.text import Text  # a third of the start-up time, and most runs print no error

    from dust_core.console import Terminal

    console = Terminal(stderr=True, soft_wrap=True)
    console.print(Text.assemble((f"{label}: ", "bold red"), message))


def _write_traceback(words: Sequence[str]) -> Path:
    """Write the current traceback to the user's state folder, or else to the temporary folder."""
    import tempfile
    import traceback

    now = datetime.now(UTC)
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    text = f"dust {__version__} {' '.join(words)}\n{now.isoformat()}\n{traceback.format_exc()}"
    for folder in (state / "dust", Path(tempfile.gettempdir())):
        log = folder / f"dust-{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            log.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return log
    return Path(os.devnull)
