"""Options that the verbs on specs share."""

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
