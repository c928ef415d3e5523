"""REC: a result file is complete: 25 fields, in order, with finite numbers in their units."""

from collections.abc import Iterator
from typing import ClassVar

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import ResultRule, of_verdict
from dust_core.declared.checks.subjects import ResultJson
from dust_core.declared.reading.faults import ModelFault, expectation
from dust_core.declared.reading.json_text import JsonFault
from dust_core.declared.reading.wording import one_of

API_VERSION = "dust/v1"


class ReadableResult(ResultRule):
    """A result file is UTF-8 JSON of at most 16 MB and a million values, each key once."""

    id = "REC001"
    title = "the file is not JSON of one meaning"
    fix = "run the task again: only tasks write result files"
    requires = ()

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        fault = subject.source
        if isinstance(fault, JsonFault) and not fault.of_number:
            yield self.finding(fault.place, fault.text, fault.expected)


class FiniteNumbers(ResultRule):
    """NaN and infinities cannot be compared, so a record with one can neither pass nor fail. What
    was not measured is null, with its reason in `provenance.reasons`.
    """

    id = "REC002"
    title = "a number is not finite"
    fix = "find out where it arose; if the quantity cannot be measured, write null and the reason"
    requires = ("REC001",)

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        fault = subject.source
        if isinstance(fault, JsonFault) and fault.of_number:
            yield self.finding(fault.place, fault.text, fault.expected)


class ResultHeader(ResultRule):
    """A result file begins with `"apiVersion": "dust/v1", "kind": "Result"`."""

    id = "REC003"
    title = "the file is not marked as a result of this format"
    fix = "write the expected value, if the file is a result"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for key, expected in (("apiVersion", API_VERSION), ("kind", "Result")):
            says = subject.data.get(key, "nothing")
            if says != expected:
                yield self.finding(subject.place((key,)), says, expected, choices=(expected,))


class ResultFaultRule(ResultRule):
    """A rule that reports the faults of the result model under some of its codes."""

    codes: ClassVar[tuple[str, ...]] = ()
    requires = ("REC001", "REC002", "REC003")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for fault in subject.faults:
            if self.concerns(fault):
                yield self.report(subject, fault)

    def concerns(self, fault: ModelFault) -> bool:
        """Whether this rule is the one that reports the fault."""
        return fault.code in self.codes

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        """The fault as a finding."""
        return self.finding(
            subject.place(fault.loc, of_key=fault.of_key),
            f"{fault.loc[-1]}: {fault.value}" if fault.loc else fault.value,
            expectation(fault),
        )


class FieldAbsent(ResultFaultRule):
    """A record has all of its 25 fields, and its provenance has all of its fields too. A field that
    does not apply is null, because an absent field may have been forgotten.
    """

    id = "REC004"
    title = "a field is absent"
    fix = "write it; null where it does not apply"
    codes = ("missing",)

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        parent = fault.loc[-2] if len(fault.loc) > 1 else "the file"
        place = subject.place(fault.loc[:-1], of_key=True)
        return self.finding(place, f"{parent} without {fault.loc[-1]}", str(fault.loc[-1]))


class FieldUnknown(ResultFaultRule):
    """A record has no field beyond the 25; other values go to `extra`."""

    id = "REC005"
    title = "a field that does not exist"
    fix = "correct the spelling, or move it to extra"
    codes = ("extra_forbidden",)

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        place = subject.place(fault.loc, of_key=True)
        return self.finding(place, fault.loc[-1], one_of(fault.choices), choices=fault.choices)


class FieldOrder(ResultRule):
    """The 25 fields have the same order everywhere, so that two records can be read side by
    side."""

    id = "REC006"
    title = "the fields are not in their order"
    fix = "write the record again, with the fields in the order of docs/specs.md"
    requires = ("REC001", "REC002", "REC003", "REC004", "REC005")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        from dust_core.declared.records.record import misplaced_field

        for loc, record, _ in subject.records:
            if pair := misplaced_field(record):
                field, due = pair
                yield self.finding(subject.place((*loc, field), of_key=True), field, due)


class ZeroForNull(ResultFaultRule):
    """A measured quantity of zero means that nothing was measured. The right value is null; 0 would
    distort means and ratios.
    """

    id = "REC007"
    title = "0 where nothing was measured"
    fix = "write null, and the reason in provenance.reasons"

    def concerns(self, fault: ModelFault) -> bool:
        zero = fault.value == 0 and not isinstance(fault.value, bool)
        return fault.code == "greater_than" and zero

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        says = f"{fault.loc[-1]}: {fault.value}"
        return self.finding(subject.place(fault.loc), says, "a positive number, or null")


class WrongRecordType(ResultFaultRule):
    """Fields hold what the schema says: numbers are numbers and not text, null is null and not
    `"null"`.
    """

    id = "REC008"
    title = "a value of the wrong type"
    fix = "write a value of the expected type, or null where the field does not apply"

    def concerns(self, fault: ModelFault) -> bool:
        return fault.code.endswith(("_type", "_parsing", "_from_float")) and not _of_time(fault)


class WrongRecordValue(ResultFaultRule):
    """Fractions lie in [0, 1], digests are 64 hexadecimal digits, times and sizes are positive."""

    id = "REC009"
    title = "a value that the field cannot hold"
    fix = "correct the value; mind the unit in the field's name"

    def concerns(self, fault: ModelFault) -> bool:
        before = (FieldAbsent(), FieldUnknown(), ZeroForNull(), WrongRecordType())
        elsewhere = fault.loc in (("apiVersion",), ("kind",)) or fault.code in Contradiction.codes
        elsewhere = elsewhere or of_verdict(fault) or _of_time(fault)
        return not (elsewhere or any(rule.concerns(fault) for rule in before))

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        finding = super().report(subject, fault)
        percent = fault.code == "less_than_equal" and fault.expected == "" and _number(fault) > 1
        hint = "; the field is a fraction, and this looks like percent" if percent else ""
        return self.finding(finding.place, finding.found, finding.expected + hint)


class ZonedTime(ResultFaultRule):
    """Times are ISO 8601 with their zone, such as `2026-11-23T08:15:00Z`: results of machines in
    different zones are sorted by them.
    """

    id = "REC010"
    title = "a time is not ISO 8601 with a zone"
    fix = "write it as 2026-11-23T08:15:00Z"

    def concerns(self, fault: ModelFault) -> bool:
        return _of_time(fault)

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        place = subject.place(fault.loc)
        return self.finding(place, fault.value, "a time like 2026-11-23T08:15:00Z")


class Contradiction(ResultFaultRule):
    """A record follows from its provenance. Its metrics are the means of the per-pair values. Its
    latencies are percentiles of the samples, so p95 is at least p50. A task has one result for an
    experiment.
    """

    id = "REC011"
    title = "the parts of a result contradict each other"
    fix = "run the task again; do not correct figures by hand"
    codes = ("value_error",)

    def concerns(self, fault: ModelFault) -> bool:
        return fault.code in self.codes and not fault.message.endswith("does not say why")

    def report(self, subject: ResultJson, fault: ModelFault) -> Finding:
        members = fault.value if isinstance(fault.value, dict) else {}
        places = {**members, **(members.get("record") or {}), **(members.get("provenance") or {})}
        named = next((word for word in fault.message.split() if word in places), None)
        loc = fault.loc
        for holder in ("record", "provenance"):
            if named in (members.get(holder) or {}):
                loc = (*fault.loc, holder)
                break
        place = subject.place((*loc, named) if named else fault.loc)
        return self.finding(place, fault.message, "figures that follow from one another")


class ReasonOwed(ResultRule):
    """A measured field may be null if `provenance.reasons` says why, e.g. that the engine needs a
    GPU or that the scene was not aligned.
    """

    id = "REC012"
    title = "a measured field is null without a reason"
    fix = "say in provenance.reasons why it is null, or measure it"
    requires = ("REC001", "REC002", "REC003", "REC004")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        from dust_core.declared.records import MEASURED_FIELDS

        for loc, record, provenance in subject.records:
            reasons = provenance.get("reasons")
            known = reasons if isinstance(reasons, dict) else {}
            for field in MEASURED_FIELDS:
                if record.get(field) is None and field not in known:
                    place = subject.place((*loc, field))
                    yield self.finding(place, f"{field}: null", f"reasons: {{{field}: why}}")


def _of_time(fault: ModelFault) -> bool:
    zone = fault.code.startswith(("datetime_", "timezone_"))
    return zone or fault.loc[-1:] in (("datetime",), ("started",), ("finished",))


def _number(fault: ModelFault) -> float:
    return float(fault.value) if isinstance(fault.value, int | float) else 0.0


RULES = (
    ReadableResult(),
    FiniteNumbers(),
    ResultHeader(),
    FieldAbsent(),
    FieldUnknown(),
    FieldOrder(),
    ZeroForNull(),
    WrongRecordType(),
    WrongRecordValue(),
    ZonedTime(),
    Contradiction(),
    ReasonOwed(),
)
