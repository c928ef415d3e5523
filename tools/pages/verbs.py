"""The reference of the command line: a page of what `dust VERB --help` says, verb by verb."""

from collections.abc import Iterator
from typing import Any

import typer

from dust_core.cli import COMMAND_GROUP, build_app, plugins

HEAD = """# The command line

What `dust VERB --help` says of every verb of the three packages.

Exit codes: 0 done; 1 it ran and the answer is no; 2 the input or the environment cannot be used;
3 a fault in DUST; 130 and 143 a signal ended it.
"""


def command_reference() -> str:
    """The page, in Markdown."""
    parts = [HEAD]
    for verb in sorted(plugins(COMMAND_GROUP)):
        root: Any = typer.main.get_command(build_app([verb]))
        parts += _described(root.commands[verb], f"dust {verb}", level=2)
    return "\n".join(parts)


def _described(command: Any, name: str, level: int) -> Iterator[str]:
    """The sections of a command and of the commands below it."""
    context = command.context_class(command, info_name=name)
    usage = " ".join((name, *command.collect_usage_pieces(context)))
    yield f"{'#' * level} {name}\n\n{command.help or ''}\n\n```text\n{usage}\n```\n"
    rows = [
        (parameter.param_type_name, record)
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and record[0] != "--help"
    ]
    for kind in ("argument", "option"):
        of_kind = [record for found, record in rows if found == kind]
        if of_kind:
            lines = "".join(f"| `{name}` | {_cell(text)} |\n" for name, text in of_kind)
            yield f"| {kind} | meaning |\n|---|---|\n{lines}"
    for inner in getattr(command, "commands", {}).values():
        yield from _described(inner, f"{name} {inner.name}", level + 1)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
