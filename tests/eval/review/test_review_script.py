"""review.sh of the base judges a head that sabotages its own judge."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SABOTAGE = "import os\nprint('sabotaged')\nos._exit(0)\n"


@pytest.fixture
def review(repository, tmp_path):
    """Runs the base's review.sh in the head's folder, with the base's `dust` on the path."""
    for command in (("pipeline",), ("spec", "schema"), ("spec", "docs")):
        assert repository.dust(*command).code == 0
    repository.commit("what is generated")
    repository.git("branch", "--force", "main")
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "dust"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m dust_core "$@"\n')
    script.chmod(0o755)

    def run(base="main"):
        return subprocess.run(
            [ROOT / ".github" / "review.sh", base],
            cwd=repository.root,
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )

    return run


def write(repository, path, text, executable=False):
    file = repository.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if executable:
        file.chmod(0o755)


def sabotage(repository):
    """Everything in a checkout that some program might run or import."""
    core = "packages/dust-core/src/dust_core"
    for path in (
        *(f"{core}/{name}.py" for name in ("__init__", "__main__", "cli")),
        *("noxfile.py", "conftest.py", "sitecustomize.py", "usercustomize.py", "setup.py"),
        # What the current folder would shadow, were it in Python's path.
        *(f"{name}/__init__.py" for name in ("dust_core", "dust_eval", "dvc", "typer", "pydantic")),
        *("dust_core/__main__.py", "dvc/__main__.py", "json.py", "numpy.py", "configparser.py"),
    ):
        write(repository, path, SABOTAGE)
    for path in (".github/review.sh", "dust", "git", "bin/dust", ".ci/run"):
        write(repository, path, "#!/bin/sh\necho sabotaged\nexit 0\n", executable=True)
    write(repository, ".gitattributes", "* filter=evil diff=evil\n")
    write(
        repository,
        ".dvc/config",
        "[core]\n    remote = evil\n['remote \"evil\"']\n    url = /evil\n",
    )
    write(repository, ".github/workflows/review.yml", "on: push\njobs: {}\n")


def loosen(repository):
    gates = repository.root / "specs" / "v1" / "gates.yaml"
    before, mark, after = gates.read_text().partition("quality_kept:")
    gates.write_text(before + mark + after.replace("value: 1.0", "value: 20.0", 1))


def test_sabotage_alone_changes_nothing_and_runs_nowhere(repository, review):
    sabotage(repository)
    repository.commit()
    done = review()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No rule finds an error." in done.stdout
    assert "sabotaged" not in done.stdout + done.stderr


def test_a_loosened_line_and_a_sabotaged_judge_exit_1(repository, review):
    sabotage(repository)
    loosen(repository)
    repository.commit()
    done = review()
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("<!-- dust review -->\n## Not to be merged as it is: ")
    assert "the line quality_kept is loosened" in done.stdout
    assert "### Verdicts" in done.stdout and "**fail**" in done.stdout
    assert "sabotaged" not in done.stdout + done.stderr


def test_a_pipeline_that_the_specs_do_not_give_exits_1(repository, review):
    path = repository.root / "dvc.yaml"
    path.write_text(path.read_text().replace("dust run K-1", "dust run K-2"))
    repository.commit()
    done = review()
    assert done.returncode == 1
    reason = "## Not to be merged as it is: 1 reason\n\n- `generated files differ from the specs`"
    assert reason in done.stdout
    assert "out of date with the specs: dvc.yaml" in done.stdout


def test_a_change_of_the_models_says_who_can_check_the_generated_files(repository, review):
    write(repository, "packages/dust-core/src/dust_core/declared/specs/models/kq.py", "# another\n")
    write(repository, "docs/specs.md", "written by other models\n")
    repository.commit()
    done = review()
    assert "The pull request changes the models" in done.stdout
    assert "out of date: specs.md" in done.stdout
    assert done.returncode == 0, done.stdout


def test_a_part_that_could_not_be_done_comes_first(review):
    done = review("nowhere")
    assert done.returncode == 2
    assert done.stdout.startswith("<!-- dust review -->\n## Not reviewed\n")
    assert "### The comparison could not be done\n\n    error: " in done.stdout
    assert "git knows no commit 'nowhere'" in done.stdout
