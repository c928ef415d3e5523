"""The comment that the workflow posts on a pull request."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.fixture
def review(project, tmp_path):
    """Runs .github/review.sh in the project, with `dust` on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "dust"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m dust_core "$@"\n')
    script.chmod(0o755)

    def run(base):
        path = f"{folder}:{os.environ['PATH']}"
        return subprocess.run(
            [ROOT / ".github" / "review.sh", base],
            cwd=project.root,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )

    return run


def test_the_comment_has_difference_and_plan(project, review):
    project.edit("specs/v1/gates.yaml", "value: 1.0", "value: 2.5")
    project.commit()
    done = review("main")
    assert done.returncode == 1
    assert done.stdout.startswith("<!-- dust review -->\n## Not to be merged as it is: 1 reason")
    assert "the line quality_kept is loosened" in done.stdout
    assert "    specs/v1/gates.yaml" in done.stdout  # the finding of GATE001, as a code block
    assert "## Plan under `small`" in done.stdout


def test_the_comment_says_what_could_not_be_done(review):
    done = review("nowhere")
    assert done.returncode == 2
    assert "### The comparison could not be done" in done.stdout
    assert "    error: " in done.stdout
    assert "git knows no commit 'nowhere'" in done.stdout
