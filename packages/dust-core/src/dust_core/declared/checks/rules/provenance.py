"""PROV: a result belongs to the specs beside it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import WHOLE_RESULT, ResultRule
from dust_core.declared.checks.subjects import ResultJson, SpecTree
from dust_core.declared.reading.wording import one_of
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.records import Provenance, ResultFile
    from dust_core.declared.specs import ResolvedTask


class ProvenanceRule(ResultRule):
    """A rule that compares a whole result with the specs above it."""

    requires: ClassVar[tuple[str, ...]] = WHOLE_RESULT

    def unable(self, subject: ResultJson) -> str:
        if subject.specs is None:
            return "no folder specs beside or above it"
        if subject.specs.spec_set is None:
            return f"{subject.specs.path} has faults: validate it first"
        return "" if subject.model else "its model refuses it"


class TaskUnknown(ProvenanceRule):
    """A result belongs to a task. If the task was renamed or removed, it is unknown what the
    figures describe.
    """

    id = "PROV001"
    title = "the result belongs to a task that the specs do not have"
    fix = "restore the task under its id, or remove the result"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        if subject.model and subject.specs and subject.model.task not in subject.specs.by_id:
            place = subject.place(("task",))
            tasks = subject.specs.by_id
            yield self.finding(place, subject.model.task, "the id of a task", choices=tasks)


class ProfileUnknown(ProvenanceRule):
    """Results are in `artifacts/{profile}`, and their provenance names that profile."""

    id = "PROV002"
    title = "the result names a profile that does not exist, or is in another profile's folder"
    fix = "move the file to its profile's folder, or run the task under that profile"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for index, provenance in _provenances(subject):
            known = _profiles(subject)
            folder = subject.file.parent.name
            place = subject.place(("results", index, "provenance", "profile"))
            if provenance.profile not in known:
                expected = one_of(known) or "a profile of specs/profiles"
                yield self.finding(place, provenance.profile, expected, choices=known)
            elif folder in known and folder != provenance.profile:
                yield self.finding(place, provenance.profile, f"{folder}, as its folder says")


class SpecDigest(ProvenanceRule):
    """A result holds the digest of the task that was executed. If it differs from the task's digest
    today, the figures belong to another experiment than the specs now describe. EXEC001 reports the
    same at the spec.
    """

    id = "PROV003"
    title = "the result belongs to another version of its task"
    fix = "restore the task as executed, or run it again under the next run"
    requires = (*WHOLE_RESULT, "PROV001", "PROV002")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for index, provenance in _provenances(subject):
            task = _resolved(subject, provenance)
            if task is None or subject.model is None or not _is_of(task, subject.model):
                continue
            if provenance.spec_digest != task.digest:
                place = subject.place(("results", index, "provenance", "spec_digest"))
                expected = f"{task.digest[:16]} of {task.id} today"
                yield self.finding(place, provenance.spec_digest[:16], expected)
                return


class ProfileDigest(ProvenanceRule):
    """A profile does not decide success, but it decides size and device. Figures measured under
    another version of the profile may differ from those of a run now. A result without a record
    has no such figures.
    """

    id = "PROV004"
    title = "the profile has changed since the result was measured"
    fix = "run the task again, or restore the profile"
    severity = "warning"
    requires = (*WHOLE_RESULT, "PROV001", "PROV002")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for index, provenance in _provenances(subject):
            task = _resolved(subject, provenance) if _has_record(subject, index) else None
            if task and provenance.profile_digest != task.profile_digest:
                place = subject.place(("results", index, "provenance", "profile_digest"))
                expected = f"{task.profile_digest[:16]} of {provenance.profile} today"
                yield self.finding(place, provenance.profile_digest[:16], expected)
                return


class DirtyTree(ResultRule):
    """A commit identifies the code that ran only if the working tree had no changes. A run from a
    dirty working tree cannot be repeated.
    """

    id = "PROV005"
    title = "the result comes from a dirty working tree"
    fix = "commit, and run the task again"
    severity = "warning"
    requires = WHOLE_RESULT

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for index, provenance in _provenances(subject):
            if provenance.dirty:
                place = subject.place(("results", index, "provenance", "dirty"))
                yield self.finding(place, f"dirty: true at {provenance.commit[:12]}", "false")
                return


def _provenances(subject: ResultJson) -> "Iterator[tuple[int, Provenance]]":
    for index, result in enumerate(subject.model.results if subject.model else ()):
        yield index, result.provenance


def _has_record(subject: ResultJson, index: int) -> bool:
    return subject.model is not None and subject.model.results[index].record is not None


def _profiles(subject: ResultJson) -> list[str]:
    files = subject.specs.of_kind("Profile") if subject.specs else ()
    return [file.model.metadata.name for file in files]


def _resolved(subject: ResultJson, provenance: "Provenance") -> "ResolvedTask | None":
    tree = subject.specs
    return resolved_in(tree, provenance.task, provenance.profile) if tree else None


def resolved_in(tree: SpecTree, task: str, profile: str) -> "ResolvedTask | None":
    """A task as the specs have it under a profile; None where they do not."""
    from dust_core.declared.specs import resolve

    if tree.spec_set is None:
        return None
    try:
        return resolve(tree.spec_set, task, profile)
    except (DustError, RecursionError):  # it refers to an absent task, or to itself; REF reports it
        return None


def _is_of(task: "ResolvedTask", file: "ResultFile") -> bool:
    """Whether a result belongs to a task's present run; a task without an exp_id has only one."""
    return task.exp_id is None or task.exp_id in {candidate.exp_id for candidate in file.candidates}


RULES = (
    TaskUnknown(),
    ProfileUnknown(),
    SpecDigest(),
    ProfileDigest(),
    DirtyTree(),
)
