"""EXEC: dvc.lock, the ledger and the results agree on what was executed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from dust_core.declared.agreed.ledger import (
    Discord,
    disagreements,
    executed_again,
    unwritten_inputs,
)
from dust_core.declared.change.executed import lock_path
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.subjects import ExecutedSpecs
from dust_core.declared.reading.place import Place
from dust_core.files import sha256_file

if TYPE_CHECKING:
    from dust_core.declared.records import ResultFile
    from dust_core.declared.records.ledger import LedgerLine


class LedgerRule(Rule[ExecutedSpecs]):
    """A rule on the ledger and on its agreement with dvc.lock."""

    subject = ExecutedSpecs
    requires: ClassVar[tuple[str, ...]] = ("EXEC003",)

    def discord(self, subject: ExecutedSpecs, discord: Discord, expected: str) -> Finding:
        """A fault of the ledger as a finding, at its line or, without a line, at the lock."""
        path = discord.path if discord.path in subject.names else lock_path(discord.profile)
        return self.finding(subject.place(path, discord.line), discord.sentence, expected)


class RecordsUnreadable(Rule[ExecutedSpecs]):
    """dvc.lock and the ledger say what was executed. DVC writes the lock, and `dust ledger
    --append` the ledger: one JSON line for each execution, in the file of its task.
    """

    id = "EXEC003"
    title = "what was executed cannot be read"
    fix = "restore the file with git checkout; DVC and 'dust ledger --append' alone write it"
    subject = ExecutedSpecs

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for fault in (fault for file in subject.ledger for fault in file.faults):
            yield self.finding(
                subject.place(fault.path, fault.line), fault.text, "a line of the ledger"
            )
        for profile in subject.profiles:
            if fault_text := subject.lock_fault(profile):
                yield self.finding(
                    subject.place(lock_path(profile)), fault_text, "a lock that DVC wrote"
                )


class ExecutedAgain(LedgerRule):
    """A run is executed once. Executing it again until its figures please is choosing a result.
    Measuring again on another device is a new run too. There is one exception: a run may be
    executed again if a file that it reads was written anew by another execution of the ledger.
    """

    id = "EXEC004"
    title = "a run was executed again"
    fix = "restore dvc.lock, its artifacts and the ledger; then take the next run"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for discord in executed_again(subject.ledger):
            yield self.discord(subject, discord, "one execution of each run")


class LockContradicted(LedgerRule):
    """The last line of a task in the ledger and its stage in dvc.lock are the same execution: the
    same run and id, the same MD5s of what it read and wrote.
    """

    id = "EXEC005"
    title = "dvc.lock and the ledger contradict each other"
    fix = "restore the one that was edited with git checkout"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for discord in _discords(subject):
            if discord.kind == "contradicted":
                yield self.discord(subject, discord, "the same execution in both")


class NotInLedger(LedgerRule):
    """Each execution under a quotable profile is a line of the ledger. A lock alone can be edited
    without a trace.
    """

    id = "EXEC006"
    title = "dvc.lock has an execution that the ledger lacks"
    fix = "dust ledger --append, and commit the ledger with dvc.lock; a draft has to run again"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for discord in _discords(subject):
            if discord.kind == "unrecorded":
                yield self.discord(subject, discord, "a line of the ledger")


class ResultContradicted(LedgerRule):
    """The ledger holds the SHA-256 of each result file. A file that is here and differs was edited,
    or belongs to an execution that is not in the ledger. The line says of the result what the file
    says: its spec, workload, device, commit, end and worst verdict.
    """

    id = "EXEC007"
    title = "a result file is not the one of the ledger"
    fix = (
        "restore it with dvc pull --force FILE; after an execution of a new run: "
        "dust ledger --append"
    )

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for executed in subject.last:
            line = executed.line
            file = subject.tree.folder.parent / line.result if line else None
            if line is None or file is None or not file.is_file():
                continue
            if (digest := sha256_file(file)) != line.result_sha256:
                expected = f"{line.result_sha256[:16]} as in the ledger"
                yield self.finding(
                    subject.place_of(executed),
                    f"{line.result} is {digest[:16]}",
                    expected,
                    fix=self.fix.replace("FILE", line.result),
                )
            elif parts := _misquoted(line, subject.model_of(file)):
                says = f"{', '.join(parts)} of {line.name}"
                yield self.finding(subject.place_of(executed), says, f"as {line.result} has it")


def _misquoted(line: "LedgerLine", result: "ResultFile | None") -> list[str]:
    """The fields of a line that differ from the result that it names."""
    from dust_core.declared.records import overall

    if result is None:  # REC reports it
        return []
    provenance = result.candidates[0].provenance
    right: dict[str, object] = {
        "spec_digest": provenance.spec_digest,
        "workload_sha256": provenance.workload_sha256,
        "device": provenance.device.fingerprint,
        "commit": provenance.commit,
        "finished": provenance.finished,
    }
    if result.verdicts:
        right["verdict"] = overall(result.verdicts)
    return [name for name, value in right.items() if getattr(line, name) != value]


class ProfileBound(LedgerRule):
    """Executions of a profile bind as long as their figures may be quoted. Without this rule, a
    profile that is removed or made unquotable would free its tasks to be changed.
    """

    id = "EXEC008"
    title = "a profile with executions is not quotable"
    fix = "restore the profile with quotable: true"
    requires = ("SPEC", "EXEC003")

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        files = {file.model.metadata.name: file for file in subject.tree.of_kind("Profile")}
        for profile in subject.profiles:
            file = files.get(profile)
            # `quotable` is empty where the specs as a whole are refused, as another rule says.
            if profile in subject.quotable or (file and file.model.spec.quotable):
                continue
            lines = [line for file in subject.ledger for line in file.lines]
            count = sum(line.profile == profile for line in lines)
            place = file.place(("spec", "quotable")) if file else Place(subject.path)
            state = "quotable: false" if file else "no such profile"
            yield self.finding(
                place, f"{profile}: {state}; executions in the ledger: {count}", "quotable: true"
            )


class InputUnwritten(LedgerRule):
    """What a stage read was written by another execution of the same profile. If the ledger has no
    such execution, its line and its stage in dvc.lock were taken out together.
    """

    id = "EXEC009"
    title = "an execution read a file that no execution wrote"
    fix = "restore the ledger and dvc.lock with git checkout, or record what wrote the file"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for discord in unwritten_inputs(subject.ledger):
            yield self.discord(subject, discord, "a file of an execution of the ledger")


def _discords(subject: ExecutedSpecs) -> Iterator[Discord]:
    for profile in subject.profiles:
        yield from disagreements(profile, subject.locked(profile), subject.ledger)


RULES = (
    RecordsUnreadable(),
    ExecutedAgain(),
    LockContradicted(),
    NotInLedger(),
    ResultContradicted(),
    ProfileBound(),
    InputUnwritten(),
)
