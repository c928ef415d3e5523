"""The miniature as P0 has measured it, and as a test may break it."""

import os
import shutil
from pathlib import Path

import pytest

from dust_core.cli import main
from dust_core.declared.specs import ResolvedTask, load_specs, resolve


def dust(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    code = ending.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture(scope="session")
def evaluated(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature after P0."""
    root = tmp_path_factory.mktemp("evaluated") / "repository"
    shutil.copytree(miniature, root)
    before = Path.cwd()
    os.chdir(root)
    try:
        for task in ("P0-1", "P0-2", "P0-3"):
            assert dust("run", task, "--profile", "ci") == 0
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def task(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> ResolvedTask:
    """P0-2 under ci, in the evaluated repository."""
    monkeypatch.chdir(evaluated)
    return resolve(load_specs(Path("specs")), "P0-2", "ci")


@pytest.fixture
def damaged(miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the miniature, the current folder, for tests that break it."""
    shutil.copytree(miniature, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"
