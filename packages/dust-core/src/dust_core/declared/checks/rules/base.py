"""What the rules of a family share: their subject, and how a model's fault becomes a finding."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.subjects import Artifacts, ResultJson, SpecTree, Table, YamlFile
from dust_core.declared.reading.faults import ModelFault, expectation


class FileRule(Rule[YamlFile]):
    """A rule on one spec file."""

    subject = YamlFile
    requires: ClassVar[tuple[str, ...]] = ("SPEC001", "SPEC004")


class ModelRule(FileRule):
    """A rule that reports the faults of a file's model under some of its codes.

    Attributes:
        codes: pydantic's error types, or the codes of the constraints in the models.
        expected: what is right; if empty, the expectation of the model is used.
    """

    codes: ClassVar[tuple[str, ...]]
    expected: ClassVar[str] = ""

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for fault in subject.faults:
            if self.concerns(subject, fault):
                yield self.report(subject, fault)

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        """Whether this rule is the one that reports the fault."""
        return fault.code in self.codes

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        """The fault as a finding."""
        return self.finding(
            subject.place(fault.loc, of_key=fault.of_key),
            fault.value,
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
"""The rules that a result file must pass before other rules can judge it."""


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


def of_verdict(fault: ModelFault) -> bool:
    """Whether a fault is in a verdict's field with a closed set of values, for VERD001."""
    return fault.code == "literal_error" and fault.loc[:1] == ("verdicts",)


def refused_among(results: Iterable[ResultJson]) -> str:
    """Why a rule cannot judge several result files together; empty if it can."""
    refused = [result.path for result in results if not result.model]
    return f"the model refuses {', '.join(refused)}" if refused else ""
