"""What rules of a family share: their subject, and how a model's fault becomes a finding."""

from collections.abc import Iterator
from typing import ClassVar

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.subjects import Artifacts, ResultJson, SpecTree, Table, YamlFile
from dust_core.declared.reading.faults import ModelFault
from dust_core.declared.reading.wording import one_of

_TYPES = {
    "bool_": "true or false",
    "date_": "a date such as 2027-01-31",
    "dict_": "a mapping",
    "float_": "a number",
    "int_": "a whole number",
    "list_": "a list",
    "model_": "a mapping",
    "string_type": "text",
    "tuple_": "a list",
}
_SHORTER = {
    "Input should be ": "",
    "Input should ": "",
    "String should match pattern": "text that matches",
    "String should have": "text of",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}


class FileRule(Rule[YamlFile]):
    """A rule on one spec file."""

    subject = YamlFile
    requires: ClassVar[tuple[str, ...]] = ("SPEC001", "SPEC004")


class ModelRule(FileRule):
    """A rule that reports the faults of a file's model under some of its codes.

    Attributes:
        codes: pydantic's error types, or the codes of the constraints in the models.
        expected: what is right; where it is empty, what the model says.
    """

    codes: ClassVar[tuple[str, ...]]
    expected: ClassVar[str] = ""

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for fault in subject.faults:
            if self.concerns(subject, fault):
                yield self.report(subject, fault)

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        """Whether this rule, of all, answers for a fault."""
        return fault.code in self.codes

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        """The fault as a finding."""
        return self.finding(
            subject.place(fault.loc, of_key=fault.of_key),
            fault.found,
            self.expected or expectation(fault),
            choices=fault.choices,
        )


class TreeRule(Rule[SpecTree]):
    """A rule on how spec files fit together."""

    subject = SpecTree
    requires: ClassVar[tuple[str, ...]] = ("SPEC001", "SPEC004")


WHOLE_RESULT = (
    "REC001", "REC002", "REC003", "REC004", "REC005", "REC007", "REC008", "REC009", "REC010",
    "REC011", "REC012",
)  # fmt: skip
"""The rules without a finding of which a result file is one."""


class ResultRule(Rule[ResultJson]):
    """A rule on one result file."""

    subject = ResultJson
    requires: ClassVar[tuple[str, ...]] = ("REC001", "REC002")


class ArtifactsRule(Rule[Artifacts]):
    """A rule on a folder of results and the files that they name."""

    subject = Artifacts
    requires: ClassVar[tuple[str, ...]] = ("REC001", "REC002")


class TableRule(Rule[Table]):
    """A rule on a result table."""

    subject = Table
    requires: ClassVar[tuple[str, ...]] = ("TAB001",)


def expectation(fault: ModelFault) -> str:
    """What would have been right where a model refused a value."""
    if fault.choices:
        return one_of(fault.choices)
    for ending, expected in _TYPES.items():
        if fault.code.startswith(ending):
            return expected
    text = fault.expected or fault.message
    for long, short in _SHORTER.items():
        text = text.replace(long, short)
    return text
