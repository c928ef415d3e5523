"""All levels of all games by name, `game/map`."""

from pathlib import Path

from dust_core.errors import DustError
from levels.archive import Archives
from levels.assets import GAMES, Game, archives
from levels.bsp import read_level
from levels.scene import Scene, build_scene
from levels.shaders import Shader, read_scripts


class Library:
    """The games with data in `cache`; archives are opened at first use."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._open: dict[str, tuple[Archives, dict[str, Shader]]] = {}

    def levels(self) -> list[str]:
        """The names of all levels of the games that were fetched, sorted.

        Raises:
            DustError: no game was fetched.
        """
        fetched = [game for game in GAMES.values() if (self._cache / game.data).is_dir()]
        if not fetched:
            archives(next(iter(GAMES.values())), self._cache)
        return sorted(
            f"{game.name}/{level}" for game in fetched for level in self._game(game)[0].levels()
        )

    def scene(self, name: str) -> Scene:
        """The level `name`, ready to be drawn.

        Raises:
            DustError: there is no such game or level, or it cannot be read.
        """
        game, _, level = name.partition("/")
        if game not in GAMES or not level:
            raise DustError(
                f"'{name}' is not the name of a level",
                fix=f"write game/map, where game is one of: {', '.join(GAMES)}",
            )
        files, shaders = self._game(GAMES[game])
        return build_scene(name, read_level(files, level), shaders, files)

    def _game(self, game: Game) -> tuple[Archives, dict[str, Shader]]:
        if game.name not in self._open:
            files = Archives(archives(game, self._cache))
            self._open[game.name] = (files, read_scripts(files))
        return self._open[game.name]
