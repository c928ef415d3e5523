"""Files by name out of a game's archives."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from dust_core.errors import DustError

_PICTURES = (".tga", ".jpg", ".png", ".jpeg")


class Archives:
    """The files of several zip archives under one roof, as the game sees them.

    Names are compared without regard to case; of two equal names the later archive's counts.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open `paths`.

        Raises:
            DustError: an archive cannot be read or is not a zip archive.
        """
        self._members: dict[str, tuple[zipfile.ZipFile, str]] = {}
        for path in paths:
            try:
                opened = zipfile.ZipFile(path)
            except (OSError, zipfile.BadZipFile) as error:
                raise DustError(
                    f"cannot open the archive: {error}",
                    where=str(path),
                    fix="delete the cache folder and run `python -m levels fetch` again",
                ) from error
            for name in opened.namelist():
                self._members[name.lower()] = (opened, name)

    def names(self, folder: str, suffix: str) -> list[str]:
        """The names (lower case) that begin with `folder` and end with `suffix`, sorted."""
        return sorted(n for n in self._members if n.startswith(folder) and n.endswith(suffix))

    def levels(self) -> list[str]:
        """The names of the levels, without folder and suffix."""
        names = self.names("maps/", ".bsp")
        return [name.removeprefix("maps/").removesuffix(".bsp") for name in names]

    def read(self, name: str) -> bytes:
        """The content of the file `name`.

        Raises:
            DustError: there is no such file.
        """
        try:
            archive, member = self._members[name.lower()]
        except KeyError as error:
            raise DustError(f"no archive of the game holds {name}") from error
        return archive.read(member)

    def picture(self, name: str) -> Image.Image | None:
        """The picture `name`, whatever its suffix in the archive; None if there is none.

        Levels name a picture with any suffix or none, so the suffix is ignored. A file that is
        not a picture is skipped, as in the game.
        """
        wanted = PurePosixPath(name.lower().replace("\\", "/"))
        for candidate in (wanted, *(wanted.with_suffix(suffix) for suffix in _PICTURES)):
            if candidate.suffix in _PICTURES and str(candidate) in self._members:
                try:
                    opened = Image.open(io.BytesIO(self.read(str(candidate))))
                    opened.load()
                except (UnidentifiedImageError, OSError):
                    continue
                return opened
        return None
