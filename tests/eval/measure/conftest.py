"""A task of the evaluated miniature, and the miniature as a test may break it."""

import shutil
from pathlib import Path

import pytest

from dust_core.declared.specs import ResolvedTask, load_specs, resolve


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
