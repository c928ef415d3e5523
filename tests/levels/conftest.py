"""What the tests of the levels share: the miniature game, and OpenGL where there is any."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature_level import Miniature, Room, write_game

from levels.assets import GAMES
from levels.render import Renderer


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of assets in which the game nexuiz has one level, `room`."""
    folder = tmp_path / "cache"
    write_game(folder / GAMES["nexuiz"].data / "data.pk3", Room())
    return folder


@pytest.fixture
def game(tmp_path: Path) -> Miniature:
    """The miniature game with the room as it stands."""
    return write_game(tmp_path / "room.pk3", Room())


@pytest.fixture(scope="session")
def opengl() -> None:
    """Skips the test where nothing can be drawn."""
    moderngl = pytest.importorskip("moderngl")
    try:
        moderngl.create_context(standalone=True, backend="egl").release()
    except Exception as error:
        pytest.skip(f"no OpenGL: {error}")


@pytest.fixture
def renderer(game: Miniature, opengl: None) -> Iterator[Renderer]:
    """Draws the room."""
    with Renderer(game.scene()) as opened:
        yield opened
