"""What a rule reports."""

from dataclasses import dataclass
from typing import Literal

from dust_core.declared.reading.place import Place

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake in one place.

    Attributes:
        place: where it is.
        rule: id of the rule that reports it, e.g. `SPEC003`.
        title: the rule's one line.
        found: the offending text.
        expected: what would be right there.
        fix: what to do about it.
        did_you_mean: the nearest right spelling; empty where nothing is near.
        severity: a warning does not fail a run.
    """

    place: Place
    rule: str
    title: str
    found: str
    expected: str
    fix: str
    did_you_mean: str = ""
    severity: Severity = "error"

    @property
    def sentence(self) -> str:
        """What is wrong, in one line that begins with its place."""
        wrong = f"found {self.found}, expected {self.expected}"
        return f"{self.place}: {self.rule} {self.title}: {wrong}"
