"""The outcome of a check of the repository's protection."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check says.

    Attributes:
        check: what should be so.
        state: `unknown` where it cannot be seen from here.
        detail: what is missing, or how to see it; empty where all is well.
    """

    check: str
    state: State
    detail: str = ""


def outcome(check: str, faults: list[str]) -> Outcome:
    """`ok` without faults, else `missing` with the first of them."""
    if not faults:
        return Outcome(check, "ok")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Outcome(check, "missing", f"{faults[0]}{more}")
