"""How the games' data comes onto a machine, and what is said where it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from miniature_level import Room, write_game
from PIL import Image

from dust_core.errors import DustError
from levels.assets import CACHE_VARIABLE, GAMES, Game, archives, default_cache, fetch
from levels.library import Library
from levels.sheet import write_sheet

TOOLS = Path(__file__).parents[2] / "tools"
GAME = Game(name="tiny", packages=("tiny-data",), data="usr/share/games/tiny")


def run_levels(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "levels", *words],
        env=os.environ | {"PYTHONPATH": str(TOOLS)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_apt_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DustError) as caught:
        fetch(GAME, tmp_path / "cache")
    assert "apt-get is not on this machine" in str(caught.value)
    assert CACHE_VARIABLE in str(caught.value)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_package_is_unpacked_once_and_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for apt-get brings a real package that the test built."""
    tree = tmp_path / "tree"
    (tree / GAME.data).mkdir(parents=True)
    (tree / GAME.data / "b.pk3").write_bytes(b"b")
    (tree / GAME.data / "a.pk3").write_bytes(b"a")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(
        "Package: tiny-data\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: -\n"
    )
    package = tmp_path / "tiny-data_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(package)], check=True)
    stand_in = tmp_path / "bin" / "apt-get"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncp {package} .\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")

    cache = tmp_path / "cache"
    fetch(GAME, cache)
    fetch(GAME, cache)
    assert [path.name for path in archives(GAME, cache)] == ["a.pk3", "b.pk3"]
    assert (tmp_path / "asked").read_text() == "download tiny-data\n"
    assert not list(cache.rglob("*.deb"))


def test_assets_that_were_not_fetched_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DustError, match=r"python -m levels fetch"):
        Library(tmp_path).levels()


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "/somewhere")
    assert default_cache() == Path("/somewhere")
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_cache() == Path("/cache/dust/levels")


def test_the_command_line_ends_a_mistake_in_one_message(tmp_path: Path, cache: Path) -> None:
    ended = run_levels("sheet", str(tmp_path / "a.png"), **{CACHE_VARIABLE: str(tmp_path / "no")})
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ") and "Traceback" not in ended.stderr
    level = ("--level", "nexuiz/room", "--split", "evaluation")
    ended = run_levels("sheet", str(tmp_path / "a.png"), *level, **{CACHE_VARIABLE: str(cache)})
    assert ended.returncode == 2 and "belongs to train, not to evaluation" in ended.stderr


def test_a_sheet_shows_the_levels(tmp_path: Path, cache: Path, opengl: None) -> None:
    sheet = tmp_path / "sheet.png"
    options = ("--views", "2", "--size", "64", "--cache", str(cache))
    ended = run_levels("sheet", str(sheet), *options)
    assert ended.returncode == 0, ended.stderr
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_a_sheet_says_why_a_level_is_worth_nothing(tmp_path: Path, opengl: None) -> None:
    """The row of a level without two places to stand holds the reason and nothing else."""
    archive = tmp_path / "cache" / GAMES["nexuiz"].data / "data.pk3"
    write_game(archive, Room(spots=((0.0, 0.0, 10.0),)))
    library = Library(tmp_path / "cache")
    write_sheet(library, ["nexuiz/room"], tmp_path / "a.png", views=2, size=64, seed=0)
    row = np.asarray(Image.open(tmp_path / "a.png"))
    assert row[:-64].any() and not row[-64:].any()
