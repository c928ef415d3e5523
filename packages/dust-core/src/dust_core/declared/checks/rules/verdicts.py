"""VERD: that a verdict says what its own numbers, and gates.yaml, say."""

from collections.abc import Iterator

from dust_core.declared.checks.finding import Finding, one_of
from dust_core.declared.checks.rules.provenance import ProvenanceRule
from dust_core.declared.checks.subjects import ResultJson

_OPERATORS = {
    "<=": lambda value, line: value <= line,
    ">=": lambda value, line: value >= line,
    "==": lambda value, line: value == line,
}


class VerdictAgainstValue(ProvenanceRule):
    """A pass whose value misses its line, or a fail whose value meets it, was not computed from the
    value it states.
    """

    id = "VERD001"
    title = "a verdict contradicts its own value"
    fix = "compute it again: dust gate STAGE"

    def unable(self, subject: ResultJson) -> str:
        return "" if subject.model else "its model refuses it"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for index, verdict in enumerate(subject.model.verdicts if subject.model else ()):
            meets = _OPERATORS.get(verdict.op)
            if meets is None:
                place = subject.place(("verdicts", index, "op"))
                yield self.finding(place, verdict.op, one_of(_OPERATORS), choices=_OPERATORS)
                continue
            if verdict.value is None:
                continue
            met = meets(verdict.value, verdict.line)
            if (verdict.status, met) in (("pass", False), ("fail", True)):
                yield self.finding(
                    subject.place(("verdicts", index, "status")),
                    f"{verdict.status}: {verdict.value:g} {verdict.op} {verdict.line:g}",
                    "fail" if verdict.status == "pass" else "pass",
                )


class VerdictAgainstLine(ProvenanceRule):
    """A verdict quotes the line it was judged by; where gates.yaml now has another, or none of that
    name, the verdict is of the past.
    """

    id = "VERD002"
    title = "a verdict was judged by another line than gates.yaml has"
    fix = "compute it again: dust gate STAGE"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        gates = subject.specs.gates if subject.specs else {}
        for index, verdict in enumerate(subject.model.verdicts if subject.model else ()):
            place = subject.place(("verdicts", index, "gate"))
            if verdict.gate not in gates:
                yield self.finding(place, verdict.gate, "a line of gates.yaml", choices=gates)
                continue
            _, gate = gates[verdict.gate]
            found = (verdict.metric, verdict.op, verdict.line, verdict.unit)
            if verdict.line is not None and found != (gate.metric, gate.op, gate.value, gate.unit):
                yield self.finding(
                    subject.place(("verdicts", index, "line")),
                    f"{verdict.metric} {verdict.op} {verdict.line:g} {verdict.unit}",
                    f"{gate.metric} {gate.op} {gate.value:g} {gate.unit}",
                )


RULES = (VerdictAgainstValue(), VerdictAgainstLine())
