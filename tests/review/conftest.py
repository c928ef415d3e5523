"""A clone to manipulate, copied from one that is made once."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from manipulations.clone import Clone, environment, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The project as it is, committed once."""
    home = tmp_path_factory.mktemp("review")
    before = dict(os.environ)
    os.environ.update(environment(home))
    try:
        return make_template(home / "template")
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def clone(template: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """A fresh copy, which is the current folder."""
    shutil.copytree(template.root, tmp_path / "clone")
    for name in [name for name in os.environ if name.startswith(("GIT_", "DUST_"))]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path / "clone")
    yield Clone(tmp_path / "clone")
