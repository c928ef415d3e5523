"""docs/tutorial.md: every block runs in a clone, and prints what the page shows."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tutorial_blocks import Block, blocks

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "reader"), ("EMAIL", "reader@example.org"))
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose branch `main` is the working tree, without what ran in it or git ignores."""
    folder = tmp_path_factory.mktemp("tutorial") / "dust"
    git(ROOT, "clone", "--quiet", "--shared", str(ROOT), str(folder))
    git(folder, "checkout", "--quiet", "-B", "main")
    changed = git(ROOT, "ls-files", "-z", "--modified", "--others", "--exclude-standard")
    for name in filter(None, changed.split("\0")):
        if Path(name).name == "dvc.lock" and Path(name).parts[0] == "pipelines":
            continue  # of a profile that ran in the working tree: its results are not in the clone
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, target)
        else:
            target.unlink(missing_ok=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "the working tree")
    return folder


@pytest.mark.slow
def test_every_block_runs_and_prints_what_the_page_shows(clone: Path) -> None:
    printed = ""
    for block in blocks(TUTORIAL):
        if block.not_run:
            continue
        if block.file:
            with (clone / block.file).open("a" if block.append else "w") as file:
                file.write(block.text)
        elif block.language == "bash":
            printed = run(clone, block)
        else:
            assert block.language == "text", f"docs/tutorial.md:{block.line}: {block.language}"
            shown = (plain(line.removesuffix("...")) for line in block.text.splitlines())
            missing = [line for line in shown if line not in printed]
            assert not missing, f"docs/tutorial.md:{block.line}: not printed: {missing}\n{printed}"


def test_what_is_not_run_says_why() -> None:
    reasons = [block.not_run for block in blocks(TUTORIAL) if block.not_run]
    assert reasons
    needs = ("downloads", "published checkpoint", "a GPU", "minutes", "your own files")
    assert all(any(word in reason for word in needs) for reason in reasons), reasons


def test_words_before_a_block_are_of_it_alone() -> None:
    document = (
        "*Not run by the test: it needs a GPU.*\n\n```bash\nfirst\n```\n\n```bash\nsecond\n```\n\n"
        "Append to `a.yaml`:\n\n```yaml\nx: 1\n```\n\nIt ends with exit code 0 or 1:\n\n"
        "```bash\nthird\n```\n"
    )
    first, second, appended, third = blocks(document)
    assert first.not_run == "it needs a GPU." and second.not_run is None
    assert (appended.file, appended.append) == ("a.yaml", True)
    assert second.codes == (0,) and third.codes == (0, 1)


def run(folder: Path, block: Block) -> str:
    """What the commands of a block print, or a failure that shows it."""
    scripts = (sysconfig.get_path("scripts"), str(Path(sys.executable).parent))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env={**os.environ, **AUTHOR, "PATH": os.pathsep.join((*scripts, os.environ["PATH"]))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode in block.codes, (
        f"docs/tutorial.md:{block.line} ended with exit code {done.returncode}:\n{done.stdout}"
    )
    return plain(done.stdout)


def plain(text: str) -> str:
    """Text without what differs from run to run: numbers and the width of columns."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.,]*", "N", text)).strip()


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **AUTHOR},
    )
    return done.stdout
