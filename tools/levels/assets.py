"""The games' data packages: downloaded from Debian, unpacked into a cache, never installed."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dust_core.errors import DustError
from dust_core.natural import natural_key

CACHE_VARIABLE = "DUST_LEVELS_CACHE"


@dataclass(frozen=True, kw_only=True)
class Game:
    """A game whose levels are rendered.

    Attributes:
        packages: Debian packages that hold its data.
        data: the folder of its archives, below the root of the unpacked packages.
    """

    name: str
    packages: tuple[str, ...]
    data: str


GAMES = {
    game.name: game
    for game in (
        Game(
            name="nexuiz",
            packages=("nexuiz-data", "nexuiz-textures"),
            data="usr/share/games/nexuiz/data",
        ),
        Game(
            name="openarena",
            packages=(
                "openarena-data",
                "openarena-081-maps",
                "openarena-081-misc",
                "openarena-081-players",
                "openarena-081-players-mature",
                "openarena-081-textures",
                "openarena-085-data",
                "openarena-088-data",
                "openarena-oacmp1",
            ),
            data="usr/share/games/openarena/baseoa",
        ),
    )
}


def default_cache() -> Path:
    """The assets' folder: `$DUST_LEVELS_CACHE`, or `dust/levels` in the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "dust" / "levels"


def archives(game: Game, cache: Path) -> list[Path]:
    """The archives of `game` in the order in which the game reads them: a later one overrides.

    Raises:
        DustError: the game's data has not been fetched into `cache`.
    """
    packs = sorted((cache / game.data).glob("*.pk3"))
    if not packs:
        raise DustError(
            f"the data of {game.name} is not in the cache",
            where=str(cache),
            fix=f"run `python -m levels fetch`, or name the folder that holds {game.data} "
            f"in {CACHE_VARIABLE}",
        )
    return packs


def fetch(game: Game, cache: Path) -> None:
    """Download the packages of `game` with apt and unpack them into `cache`.

    Nothing is installed and no privilege is needed. A package that is already unpacked is skipped.

    Raises:
        DustError: apt-get or dpkg-deb is absent or failed.
    """
    downloads = cache / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    for package in game.packages:
        unpacked = downloads / f"{package}.unpacked"
        if unpacked.exists():
            continue
        _run(["apt-get", "download", package], downloads)
        archive = max(downloads.glob(f"{package}_*.deb"), key=natural_key, default=None)
        if archive is None:
            raise DustError(
                f"apt-get said it downloaded {package}, but there is no such file",
                where=str(downloads),
                fix=f"download {package}_*.deb into this folder by hand and run fetch again",
            )
        _run(["dpkg-deb", "-x", archive.name, str(cache.resolve())], downloads)
        archive.unlink()
        unpacked.touch()


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise DustError(
            f"{command[0]} is not on this machine, and the levels come as Debian packages",
            fix="run fetch on a Debian or Ubuntu machine (or container), or unpack the packages "
            f"there with `dpkg-deb -x` and name the folder in {CACHE_VARIABLE}",
        )
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DustError(
            f"`{' '.join(command)}` failed: {done.stderr.strip().splitlines()[-1:] or '?'}",
            where=str(folder),
            fix="run `apt-get update` and see that the distribution's main section is enabled; "
            "check the free space",
        )
