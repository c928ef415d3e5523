"""What an import has finished, scene by scene, so that the next call need not read it again."""

import json
from collections.abc import Iterator
from pathlib import Path

from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_core.pairs.importing.tally import Tally

_FILE = "scenes.jsonl"

Done = tuple[str, Tally]


class Journal:
    """A file beside unfinished shards: a line for each scene that was read to its end.

    Args:
        folder: of the unfinished shards.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._kept: list[Done] | None = []

    def finished(self, pairs: int) -> list[Done]:
        """Name and tally of the first scenes, whose pairs are all among so many first pairs.

        None without pairs: a call that wrote nothing was not interrupted, and reads all again.
        """
        done: list[Done] = []
        for name, tally in self._lines() if pairs else ():
            pairs -= tally.pairs
            if pairs < 0:
                break
            done.append((name, tally))
        return done

    def begin(self, kept: list[Done]) -> None:
        """Hold these scenes alone, once another is added."""
        self._kept = kept

    def add(self, name: str, tally: Tally) -> None:
        """Note a scene that was read to its end.

        Raises:
            DustError: the file cannot be written.
        """
        if self._kept is not None:
            atomic_write_text(self._path, "".join(map(_line, self._kept)))
            self._kept = None
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(_line((name, tally)))
        except OSError as error:
            raise DustError(
                f"cannot write the journal: {error.strerror}",
                where=str(self._path),
                fix="free some space or allow writing",
            ) from error

    def _lines(self) -> Iterator[Done]:
        """The whole lines; the last may have been interrupted."""
        try:
            for line in self._path.read_text(encoding="utf-8").splitlines():
                content = json.loads(line)
                yield content["scene"], Tally.of_data(content["tally"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return


def _line(done: Done) -> str:
    return json.dumps({"scene": done[0], "tally": done[1].as_data()}) + "\n"
