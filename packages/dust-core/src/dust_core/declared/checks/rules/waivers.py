"""GATE: the waivers, which permit a looser line or a protected value in the easier direction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from dust_core.declared.agreed.lines import LONGEST, is_looser
from dust_core.declared.agreed.owners import Approvers
from dust_core.declared.agreed.protected import ProtectedValue, protected_values
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import FileRule, TreeRule
from dust_core.declared.checks.rules.gates import lines_that
from dust_core.declared.checks.subjects import SpecTree, YamlFile
from dust_core.declared.reading.place import Place
from dust_core.declared.reading.wording import one_of, quote
from dust_core.declared.specs.decides import decisive
from dust_core.declared.specs.models import Gate, Permission, ValueWaiver, Waiver


@dataclass(frozen=True, slots=True)
class _Entry:
    """A waiver with its place: of a line, or of a protected value."""

    file: YamlFile
    loc: tuple[str | int, ...]
    name: str
    permission: Permission

    def place(self, *loc: str, of_key: bool = False) -> Place:
        return self.file.place((*self.loc, *loc), of_key=of_key)


class WaiverExpired(FileRule):
    """A waiver is valid until its date. After that nothing permits what it permitted."""

    id = "GATE002"
    title = "the waiver has expired"
    fix = "restore the agreed value, or have the waiver renewed with a reason"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for entry in _waivers(subject):
            expires = entry.permission.expires
            if expires < _today():
                yield self.finding(entry.place("expires"), expires.isoformat(), "a date to come")


class WaiverEmpty(FileRule):
    """People read a waiver: its reason explains why, and its owner is the person or team
    responsible."""

    id = "GATE003"
    title = "the waiver gives no reason or no owner"
    fix = "say in a sentence why the line is loosened, and name who is responsible"
    HOLLOW = frozenset({"", "-", "?", "n/a", "na", "nobody", "none", "null", "tba", "tbd", "x"})

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for entry in _waivers(subject):
            permission = entry.permission
            for field, text in (("reason", permission.reason), ("owner", permission.owner)):
                words = text.strip().strip(".@").lower()
                if words in self.HOLLOW or (field == "reason" and len(words.split()) < 3):
                    expected = "a sentence" if field == "reason" else "a person or a team"
                    yield self.finding(entry.place(field), text, expected)


class WaiverNeedless(TreeRule):
    """A waiver beside a line that is as strict as the value it departs from has no effect. The same
    holds for a waiver of a value that has not changed or is not protected. If it stays, it silently
    permits the next change.
    """

    id = "GATE004"
    title = "a waiver permits nothing that is there"
    fix = "remove the waiver"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        values = _protected(subject)
        for file in subject.of_kind("Gates"):
            for entry in _waivers(file):
                permission = entry.permission
                if isinstance(permission, ValueWaiver):
                    value = values.get(permission.value)
                    if value is None:
                        place = entry.place("value")
                        expected = "a protected value of these specs: FILE: KEY"
                        yield self.finding(place, entry.name, expected, choices=values)
                    elif value.value == decisive(permission.from_):
                        expected = "a waiver only of a value that differs from its from"
                        yield self.finding(entry.place(of_key=True), entry.name, expected)
                elif isinstance(permission, Waiver):
                    gate = subject.gates[entry.name][1]
                    if not is_looser(gate.metric, permission.from_, gate.value):
                        expected = "a waiver only beside a line that is looser than its from"
                        yield self.finding(entry.place(of_key=True), entry.name, expected)


class WaiverScope(TreeRule):
    """A waiver permits a change from one value to another, and nothing beyond. It departs from the
    agreed value, or from a stricter value that the line has had since; `dust diff` compares it with
    the base. The waiver of a value departs from the value at the base.
    """

    id = "GATE012"
    title = "a waiver does not cover what it stands beside"
    fix = "write the value that it departs from and the loosest value that was approved"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        values = _protected(subject)
        agreed = {held.name: line for line, held in lines_that(subject, "loosened")}
        for file in subject.of_kind("Gates"):
            for entry in _waivers(file):
                permission = entry.permission
                if isinstance(permission, ValueWaiver):
                    value = values.get(permission.value)
                    limit, departure = decisive(permission.to), decisive(permission.from_)
                    unchanged = value is None or value.value == departure  # GATE004's
                    if value and not unchanged and not value.is_within(limit):
                        yield self.finding(entry.place("to"), quote(limit), quote(value.value))
                elif isinstance(permission, Waiver):
                    gate, line = subject.gates[entry.name][1], agreed.get(entry.name)
                    if is_looser(gate.metric, permission.to, gate.value):
                        found, expected = f"{permission.to:g}", _quantity(gate, gate.value)
                        yield self.finding(entry.place("to"), found, expected)
                    if line and is_looser(gate.metric, line.value, permission.from_):
                        found, expected = f"{permission.from_:g}", _quantity(gate, line.value)
                        yield self.finding(entry.place("from"), found, expected)


class WaiverTooLong(FileRule):
    """A waiver is for the time until the cause is mended. It holds for 180 days at most, and may be
    renewed by those who approve it.
    """

    id = "GATE013"
    title = "the waiver holds for too long"
    fix = "write an earlier date; the waiver may be renewed then"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        last = _today() + LONGEST
        for entry in _waivers(subject):
            expires = entry.permission.expires
            if expires > last:
                expected = f"a date within {LONGEST.days} days"
                yield self.finding(entry.place("expires"), expires.isoformat(), expected)


class WaiverUnapproved(TreeRule):
    """An owner of the specs approves a waiver: somebody whom `.github/CODEOWNERS` names for
    `specs/v1/gates.yaml`. `dust diff` reads that file from the base, and also compares with the
    authors of the commits. Only the platform can prove who approved: it requires a review from
    code owners.
    """

    id = "GATE014"
    title = "nobody who may approve the waiver approved it"
    fix = "have an owner approve it, and name the owner as CODEOWNERS does"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        approvers = Approvers(subject.owners)
        for file in subject.of_kind("Gates"):
            for entry in _waivers(file):
                if approvers.fault(entry.permission.approved_by):
                    names = sorted(subject.owners)
                    expected = one_of(names) if names else "an owner, whom CODEOWNERS must name"
                    found = entry.permission.approved_by
                    yield self.finding(entry.place("approved_by"), found, expected, choices=names)


def _waivers(file: YamlFile) -> Iterator[_Entry]:
    if file.kind != "Gates" or not file.model:
        return
    for name, gate in file.model.spec.gates.items():
        if gate.waiver:
            yield _Entry(file, ("spec", "gates", name, "waiver"), name, gate.waiver)
    for index, waiver in enumerate(file.model.spec.waivers):
        yield _Entry(file, ("spec", "waivers", index), waiver.value, waiver)


def _protected(tree: SpecTree) -> dict[str, ProtectedValue]:
    return protected_values({file.path: file.model for file in tree.parts if file.model})


def _quantity(gate: Gate, value: float) -> str:
    return f"{value:g} {gate.unit}"


def _today() -> date:
    return datetime.now(UTC).date()


RULES = (
    WaiverExpired(),
    WaiverEmpty(),
    WaiverNeedless(),
    WaiverScope(),
    WaiverTooLong(),
    WaiverUnapproved(),
)
