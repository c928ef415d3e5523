"""`python -m pages`: build the documentation's site in build/docs/site.

It fails on a link or an anchor that is broken, and on a page that would load from elsewhere.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import tomlkit
import typer

from dust_core.cli import print_error
from dust_core.errors import DustError
from pages.documents import copy_documents
from pages.modules import write_modules
from pages.navigation import COMMANDS, navigation
from pages.verbs import command_reference
from pages.verify import faults

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ASSETS = ("dust.css", "iframe-worker.js", "iframe-worker.LICENSE")


def build(
    out: Annotated[Path, typer.Option(help="The folder of the build.")] = Path("build/docs"),
    root: Annotated[Path, typer.Option(help="The repository.")] = ROOT,
) -> None:
    """Build the site."""
    pages = out / "pages"
    shutil.rmtree(out, ignore_errors=True)
    pages.mkdir(parents=True)
    documents = copy_documents(root, pages)
    modules = write_modules(root, pages)
    (pages / COMMANDS).parent.mkdir(exist_ok=True)
    (pages / COMMANDS).write_text(command_reference(), encoding="utf-8")
    (pages / "assets").mkdir()
    for name in ASSETS:
        shutil.copy(HERE / name, pages / "assets")
    settings = tomlkit.parse((HERE / "site.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    project["nav"] = navigation(pages, documents, modules)
    paths = [str(path) for path in sorted(root.glob("packages/*/src"))]
    project["plugins"]["mkdocstrings"]["handlers"]["python"]["paths"] = paths
    (out / "zensical.toml").write_text(tomlkit.dumps(settings), encoding="utf-8")
    broken = [*_built(out / "zensical.toml"), *faults(out / "site")]
    if broken:
        typer.echo("\n".join(broken))
        raise DustError(
            "the site is not whole", where=str(out), fix="mend what is named above", exit_code=1
        )
    typer.echo(f"open {out / 'site' / 'index.html'}")


def _built(settings: Path) -> list[str]:
    """Build the pages; what Zensical says, in one piece, if anything is wrong with them."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(
        [*command, "--config-file", str(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # It colours each letter, and a strict build that it refuses ends with a traceback of its own.
    said = COLOURS.sub("", done.stdout).partition("\nTraceback")[0]
    return [said] if done.returncode else []


if __name__ == "__main__":
    try:
        typer.run(build)
    except DustError as error:
        print_error(error)
        sys.exit(error.exit_code)
