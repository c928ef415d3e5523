"""Options that the verbs on specs share, and whether this process runs a draft."""

import os
from pathlib import Path
from typing import Annotated

import typer

ProfileOption = Annotated[
    str,
    typer.Option("--profile", "-p", help="Size, data, device: small, full, ci, or your own."),
]
SpecsOption = Annotated[Path, typer.Option("--specs", help="Folder of the specs.")]
DraftOption = Annotated[
    bool,
    typer.Option("--draft", help="Run specs that nobody approved; every verdict is inconclusive."),
]

_DRAFT = "DUST_DRAFT"


def mark_draft(*, draft: bool) -> None:
    """Make this process, and all that it starts, a draft where `draft` is true."""
    if draft:
        os.environ[_DRAFT] = "1"


def is_draft() -> bool:
    """Whether this process runs a draft."""
    return os.environ.get(_DRAFT) == "1"
