"""The hooks of .pre-commit-hooks.yaml, as another repository of specs uses them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOOKS = ("dust-validate", "dust-schema", "dust-pipeline")
INSTALLED = (".pre-commit-hooks.yaml", "pyproject.toml", "packages/dust-core")
"""What the hooks need of this repository."""


def commit(folder: Path) -> str:
    """Make a repository of a folder, or go on with it; the commit of all its files."""
    environment = {name: value for name, value in os.environ.items() if "GIT_" not in name}
    person = ("-c", "user.name=t", "-c", "user.email=t@t")
    for words in (
        ("init", "--quiet"),
        ("add", "--all"),
        (*person, "commit", "--quiet", "--allow-empty", "--message", "files"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, env=environment)
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, env=environment, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another repository, with specs of its own, that names the hooks by `repo` and `rev`."""
    ours, other = tmp_path / "dust", tmp_path / "other"
    for name in INSTALLED:
        source, target = ROOT / name, ours / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name in ("specs", "pipelines"):
        shutil.copytree(ROOT / name, other / name)
    shutil.copy(ROOT / "dvc.yaml", other)
    hooks = "".join(f"      - id: {name}\n" for name in HOOKS)
    (other / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {ours}\n    rev: {commit(ours)}\n    hooks:\n{hooks}"
    )
    commit(other)
    return other


def run(folder: Path) -> tuple[int, dict[str, str], str]:
    """Every hook on every file: the exit code, each hook's state, and everything printed."""
    kept = {name: value for name, value in os.environ.items() if "GIT_" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose", "--color=never"],
        cwd=folder,
        env={**kept, "PRE_COMMIT_HOME": str(folder.parent / "home")},
        capture_output=True,
        text=True,
    )
    states = re.findall(r"\.(Passed|Failed|Skipped)\n- hook id: (\S+)", done.stdout)
    return done.returncode, {name: state for state, name in states}, done.stdout + done.stderr


@pytest.mark.slow
def test_another_repository_uses_the_hooks(other: Path) -> None:
    code, states, said = run(other)
    assert code == 0, said
    assert states == dict.fromkeys(HOOKS, "Passed")
    assert "0 errors" in said
    packages = {path.name for path in other.parent.glob("home/*/py_env*/lib/*/site-packages/*")}
    assert {"dust_core", "pydantic", "typer"} <= packages
    assert not packages & {"torch", "numpy", "dvc", "dust_eval", "dust_compress"}

    spec = other / "specs" / "v1" / "distill.yaml"
    before = spec.read_text()
    spec.write_text(before.replace("needs: [P0-2]", "needs: [P0-9]", 1))
    commit(other)
    code, states, said = run(other)
    assert code == 1
    assert states["dust-validate"] == "Failed"
    assert re.search(r"specs/v1/distill\.yaml:\d+:15: REF001", said)

    spec.write_text(before)
    (other / "specs" / "schema" / "v1" / "kq.schema.json").write_text("{}\n")
    pipeline = other / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("dust run K-1", "dust run K-2"))
    commit(other)
    code, states, said = run(other)
    assert code == 1
    assert states == {
        "dust-validate": "Passed",
        "dust-schema": "Failed",
        "dust-pipeline": "Failed",
    }
    assert "run `dust spec schema` and commit what it writes" in said
