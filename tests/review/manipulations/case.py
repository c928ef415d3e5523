"""A case: what is tried, the command that notices, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass

from manipulations.clone import Clone

Change = Callable[[Clone], None]

_CASES: list["Case"] = []


@dataclass(frozen=True)
class Case:
    """One manipulation, or one honest change.

    Attributes:
        group: the class that it is of.
        name: the name of the function that makes it.
        what: what the author does, for the table.
        command: the words after `dust` that the review runs.
        code: the exit code that is right.
        said: text that the command prints; lines are joined and blanks are collapsed.
            ` ... ` is any text.
        change: makes the change in a clone.
        commits: whether the change is committed before the command runs.
    """

    group: str
    name: str
    what: str
    command: str
    code: int
    said: str
    change: Change
    commits: bool = True


def case(
    group: str, what: str, command: str, said: str, *, code: int = 1, commits: bool = True
) -> Callable[[Change], Change]:
    """Register the decorated change as a case; `code` 1 says that the review refuses it."""

    def register(change: Change) -> Change:
        name = change.__name__
        _CASES.append(Case(group, name, what, command, code, said, change, commits))
        return change

    return register


def registered() -> tuple[Case, ...]:
    """Every case that was registered, in the order of the modules."""
    return tuple(_CASES)
