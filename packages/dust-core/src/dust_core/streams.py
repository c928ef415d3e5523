"""Standard output and error while `dust` runs: nothing steers the terminal or ends in a traceback.

All text passes here, whoever writes it. Only `Terminal`, which knows which of its text is style,
writes to what is below.
"""

import codecs
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from dust_core.errors import DustError
from dust_core.visible import visible

EXIT_READER_GONE = 141
"""128 and the number of SIGPIPE, as shells count: `dust rules | head -1` is no negative answer."""

Ending = Callable[[OSError], BaseException | None]


class StyledStream:
    """A stream that writes text with its escape sequences.

    Args:
        stream: where it writes.
        ending: the exception for a refused write, raised from then on; None where text is lost.
    """

    def __init__(self, stream: TextIO, ending: Ending) -> None:
        self._stream, self._ending = stream, ending
        self._raised: BaseException | None = None

    def write(self, text: str) -> int:
        if text:
            self._try(lambda: self._stream.write(_encodable(text, self._stream.encoding)))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            _discard(self._stream)
            self._raised = self._ending(error)
        if self._raised is not None:  # again and again: a library may pass over the first
            raise self._raised


class VisibleStream:
    """A stream that makes visible what would steer the terminal.

    Attributes:
        styled: the same stream for text whose escape sequences are wanted.
        encoding: what can be written: every character, if need be as an escape.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO, ending: Ending) -> None:
        self.styled = StyledStream(stream, ending)

    def write(self, text: str) -> int:
        self.styled.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self.styled.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.styled, name)


@contextmanager
def visible_streams() -> Iterator[None]:
    """Put visible streams in the place of standard output and error for the block.

    Output that cannot be written ends the command: a reader that is gone as a `SystemExit`,
    anything else as a `DustError`. Messages that cannot be written are lost.
    """
    _open_closed()
    streams = sys.stdout, sys.stderr
    sys.stdout = _visible(sys.stdout, _ending)
    sys.stderr = _visible(sys.stderr, lambda _: None)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def _visible(stream: TextIO | None, ending: Ending) -> TextIO:
    if stream is None:  # it was closed when Python started
        stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    return cast(TextIO, VisibleStream(stream, ending))


def _open_closed() -> None:
    """Open the null device where standard input, output or error is closed.

    Otherwise the next file gets its number, and what a library writes to the number is in the file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, so this one


def _ending(error: OSError) -> BaseException:
    if error.errno == errno.EPIPE:
        return SystemExit(EXIT_READER_GONE)
    return DustError(
        f"cannot write to standard output: {error.strerror or error}",
        fix="free some space, or send the output elsewhere; files already written are whole",
    )


def _discard(stream: TextIO) -> None:
    """Send what is still in a stream, and what comes, to the null device."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _encodable(text: str, encoding: str | None) -> str:
    """`text` with what an encoding lacks as escapes."""
    name = codecs.lookup(encoding or "utf-8").name
    return text if name == "utf-8" else text.encode(name, "backslashreplace").decode(name)
