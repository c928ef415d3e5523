"""SPEC010 to SPEC013: keys and values that no more specific rule reports."""

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules import gates, names, profiles, protocol
from dust_core.declared.checks.rules.base import ModelRule
from dust_core.declared.checks.subjects import YamlFile
from dust_core.declared.reading.faults import ModelFault, expectation
from dust_core.declared.reading.wording import nearest, one_of

_WITH_REASONS = tuple(
    rule
    for family in (protocol, names, gates, profiles)
    for rule in family.RULES
    if isinstance(rule, ModelRule)
)
_HEADER = (("apiVersion",), ("kind",))
_TYPES = ("_type", "_parsing", "_from_float", "_from_date_parsing", "_from_datetime_parsing")


class UnknownKey(ModelRule):
    """Unknown keys are refused: with a misspelt key the experiment would silently run with a
    default.
    """

    id = "SPEC010"
    title = "unknown key"
    fix = "correct the spelling, or remove the key"
    codes = ("extra_forbidden",)

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        return fault.code in self.codes and not _has_reason(subject, fault)

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        place = subject.place(fault.loc, of_key=True)
        expected = one_of(fault.choices) or "no key here"
        return self.finding(place, fault.loc[-1], expected, choices=fault.choices)


class MissingKey(ModelRule):
    """Every parameter is written down, because a hidden default would decide the experiment without
    review. Only keys that the reference marks optional may be left out.
    """

    id = "SPEC011"
    title = "a key is missing"
    fix = "add the key; docs/specs.md describes it and gives an example"
    codes = ("missing",)

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        return (
            fault.code in self.codes
            and fault.loc not in _HEADER
            and fault.loc not in _misspelt(subject)
        )

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        parent = ".".join(str(part) for part in fault.loc[:-1]) or "the file"
        key = str(fault.loc[-1])
        return self.finding(subject.place(fault.loc), f"{parent} without {key}", key)


class WrongType(ModelRule):
    """A value has the type that its key requires. Values are not converted, so `"30"` is not a
    number, and `3.0` is not an integer.
    """

    id = "SPEC012"
    title = "a value of the wrong type"
    fix = "write a value of the expected type; quotes make text, brackets a list"

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        return fault.code.endswith(_TYPES) and fault.loc not in _HEADER

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        quoted = f'"{fault.value}"' if isinstance(fault.value, str) else fault.value
        return self.finding(subject.place(fault.loc), quoted, expectation(fault))


class WrongValue(ModelRule):
    """The value has the right type, but is not one of the choices, or is outside its bounds."""

    id = "SPEC013"
    title = "a value that is not allowed here"
    fix = "write one of the expected values; docs/specs.md gives the bounds and their units"

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        return not (
            fault.loc in _HEADER
            or _has_reason(subject, fault)
            or fault.code in (*UnknownKey.codes, *MissingKey.codes)
            or WrongType().concerns(subject, fault)
        )


def _misspelt(subject: YamlFile) -> set[tuple[str | int, ...]]:
    """The absent keys that an unknown key misspells; only the unknown key is reported."""
    return {
        (*fault.loc[:-1], nearest(str(fault.loc[-1]), fault.choices))
        for fault in subject.faults
        if fault.code in UnknownKey.codes
    }


def _has_reason(subject: YamlFile, fault: ModelFault) -> bool:
    return any(rule.concerns(subject, fault) for rule in _WITH_REASONS)


RULES = (UnknownKey(), MissingKey(), WrongType(), WrongValue())
