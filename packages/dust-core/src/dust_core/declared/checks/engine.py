"""Runs rules over subjects. A rule does not run where a rule that it requires found an error."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule


class Subject(Protocol):
    """What rules look at."""

    @property
    def path(self) -> str:
        """The file or folder, as messages name it."""

    @property
    def parts(self) -> "tuple[Subject, ...]":
        """The subjects that this subject is made of; a fault in a part counts for the whole."""


@dataclass(frozen=True, slots=True, order=True)
class Skipped:
    """A rule that did not judge a subject, and why. The report lists it."""

    path: str
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run.

    Attributes:
        findings: sorted by place.
        skipped: rules that could not judge, sorted by path and reason.
        files: how many files were read.
        rules: the rules that ran, in order.
    """

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    files: int
    rules: tuple[Rule[Any], ...]

    @property
    def errors(self) -> int:
        """The number of findings that fail a run."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """The number of findings that do not."""
        return len(self.findings) - self.errors


@dataclass(slots=True)
class Outcome:
    """What a run found in each subject; `judge` gathers it."""

    findings: list[Finding]
    skipped: list[Skipped]


def judge(
    subjects: Sequence[Subject],
    rules: Sequence[Rule[Any]],
    selected: Iterable[Rule[Any]],
    covers: Callable[[str], bool],
) -> Outcome:
    """Run `selected` over `subjects`, and unreported the rules that they require.

    Args:
        subjects: what to look at; every part of a subject comes before it.
        rules: the whole catalogue, for the rules that others require.
        selected: the rules to report.
        covers: whether a path is reported on; other paths are only there for comparison.
    """
    reported = {rule.id for rule in selected}
    needed = _with_requirements(rules, reported)
    grounds = tuple(prefix for rule in needed for prefix in rule.requires)
    broken: dict[int, set[str]] = {}
    outcome = Outcome([], [])
    for subject in subjects:
        faults = broken.setdefault(id(subject), set())
        for part in subject.parts:
            faults |= broken.get(id(part), set())
        asked = covers(subject.path) or any(covers(part.path) for part in subject.parts)
        for rule in needed:
            if not isinstance(subject, rule.subject) or not rule.applies(subject):
                continue
            if not asked and not rule.id.startswith(grounds):
                continue
            reason = _waits_for(rule, faults) or rule.unable(subject)
            if reason:
                if asked and rule.id in reported:
                    outcome.skipped.append(Skipped(subject.path, reason, rule.id))
                continue
            findings = list(rule.check(subject))
            if any(finding.severity == "error" for finding in findings):
                faults.add(rule.id)
            if rule.id in reported:
                outcome.findings.extend(
                    finding for finding in findings if covers(finding.place.path)
                )
    return outcome


def _with_requirements(rules: Sequence[Rule[Any]], reported: set[str]) -> list[Rule[Any]]:
    """The rules to run: the reported rules and, transitively, those that they require."""
    order: list[Rule[Any]] = []
    seen: set[str] = set()

    def visit(rule: Rule[Any]) -> None:
        if rule.id in seen:
            return
        seen.add(rule.id)
        for other in rules:
            if rule.requires and other.id.startswith(rule.requires):
                visit(other)
        order.append(rule)

    for rule in rules:
        if rule.id in reported:
            visit(rule)
    return order


def _waits_for(rule: Rule[Any], faults: set[str]) -> str:
    blocking = sorted(
        fault for fault in faults if rule.requires and fault.startswith(rule.requires)
    )
    return f"waits until {', '.join(blocking)} finds nothing" if blocking else ""
