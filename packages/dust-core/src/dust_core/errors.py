"""The one family of errors that reaches a user."""

from typing import Any

from dust_core.visible import in_one_line

_MOST_LETTERS = 400


class DustError(Exception):
    """What went wrong, where, and what to do about it, in a message that needs no traceback.

    Args:
        what: the fault, naming the offending value and the bound it breaks.
        where: a file (with line and column where known), a key or a task; empty if it has no place.
        fix: what the reader can do next.
        exit_code: 2 for input or environment that cannot be used, 1 for a negative answer.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", exit_code: int = 2) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.exit_code = exit_code

    def __reduce__(self) -> Any:
        """What pickle needs, which passes errors between processes."""
        return _again, (type(self), self.what, self.where, self.fix, self.exit_code)

    def __str__(self) -> str:
        place = f"{in_one_line(self.where)}: " if self.where else ""
        advice = f"\n  fix: {self.fix}" if self.fix else ""
        return f"{place}{self.what}{advice}"


def _again(kind: type[DustError], what: str, where: str, fix: str, exit_code: int) -> DustError:
    return kind(what, where=where, fix=fix, exit_code=exit_code)


def first_line(error: Exception) -> str:
    """What an error of a library says, in a line; its type where it says nothing."""
    return _bounded((str(error).strip() or type(error).__name__).splitlines()[0])


def last_line(error: Exception) -> str:
    """As `first_line`, for libraries that begin with the place in their source."""
    return _bounded((str(error).strip() or type(error).__name__).splitlines()[-1])


def _bounded(line: str) -> str:
    """A library may quote a whole file in its error."""
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}..."
