"""PROOF: a result agrees with the specs, with the other results, with dvc.lock and with git."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import WHOLE_RESULT, ArtifactsRule
from dust_core.declared.checks.subjects import Artifacts

if TYPE_CHECKING:
    from dust_core.declared.records.proof import Kind


class ProofRule(ArtifactsRule):
    """A rule that reports what contradicts the results of a folder, of one kind."""

    kind: ClassVar["Kind"]
    requires: ClassVar[tuple[str, ...]] = (*WHOLE_RESULT, "REC02", "PROV001", "PROV002")

    def unable(self, subject: Artifacts) -> str:
        return unable_to_prove(subject)

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        files = {result.file.name: result for result in subject.results}
        for fault in subject.unproven:
            if fault.kind == self.kind:
                place = files[fault.file].place(fault.loc)
                yield self.finding(place, fault.says, fault.expected, fix=fault.fix)


class FigureSource(ProofRule):
    """Every figure follows from what was measured. A network is scored on all pairs of the profile
    by all metrics, and timed in as many turns as the protocol demands. The turns of a baseline are
    those of the baseline's own result in the file. Throughput is the inverse of the median latency,
    the seed is the workload's, and a record is of the time when its measurement finished.
    """

    id = "PROOF001"
    title = "a figure does not follow from its source"
    fix = "run the task again; do not correct figures by hand"
    kind = "source"


class Agreement(ProofRule):
    """A network that is measured twice has the same quality twice. A baseline beside a candidate
    gives what the baseline's own task measured: to the last digit on the same device, runtime and
    measuring code, and within 2^-14 of the value elsewhere. The same holds for a file that two
    tasks measured.
    """

    id = "PROOF002"
    title = "two measurements of one network disagree"
    fix = "find out which is wrong, and run its task again"
    kind = "agreement"


class PossibleResult(ProofRule):
    """A result is one that its task can produce. Its experiment is the task's, or that of the task
    whose output it measures. Its files are inputs and outputs of the task, and the inputs are those
    that their writers recorded. It ran on the device, runtime and threads of the profile, a
    quantized experiment in INT8. A candidate is not the network that it is compared with.
    """

    id = "PROOF003"
    title = "the task cannot have produced this result"
    fix = "run the task again"
    kind = "task"


class OneResult(ProofRule):
    """A task has one result file for the run that its spec declares. Files of earlier runs may
    stay, named after their experiments.
    """

    id = "PROOF004"
    title = "a second file claims to be the result of a task"
    fix = "remove it; another run needs the next run number in its spec"
    kind = "twice"


class SizeOfFile(ProofRule):
    """Where the measured file is an artifact, its size is that in dvc.lock, or that of the file."""

    id = "PROOF005"
    title = "the size in a record is not that of the file"
    fix = "run the task again"
    kind = "size"


class RecordedRun(ProofRule):
    """A result comes from a commit that leads to the present one, and it is the file that dvc.lock
    recorded when its task ran. Commits are not checked without git, or in a shallow clone that
    lacks them.
    """

    id = "PROOF006"
    title = "the result is not of the recorded run"
    fix = "restore it with dvc pull --force FILE, or run its task with dvc repro"
    kind = "history"


def unable_to_prove(subject: Artifacts) -> str:
    """Why the results of a folder cannot be proven; empty if they can."""
    if subject.specs is None:
        return "no folder specs beside or above it"
    if subject.specs.spec_set is None:
        return f"{subject.specs.path} has faults: validate it first"
    known = subject.folder.name in subject.specs.spec_set.profiles
    return "" if known else "its folder is not named after a profile"


RULES = (
    FigureSource(),
    Agreement(),
    PossibleResult(),
    OneResult(),
    SizeOfFile(),
    RecordedRun(),
)
