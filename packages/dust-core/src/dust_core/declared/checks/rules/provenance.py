"""PROV: a result belongs to the specs beside it. EXEC: executed specs stay as they were."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from dust_core.declared.agreed.executions import Attempt, Contradiction, contradictions
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.rules.base import WHOLE_RESULT, ResultRule
from dust_core.declared.checks.subjects import ExecutedSpecs, ResultJson, SpecTree
from dust_core.declared.reading.place import Place
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
    another version of the profile may differ from those of a run now.
    """

    id = "PROV004"
    title = "the profile has changed since the result was measured"
    fix = "run the task again, or restore the profile"
    severity = "warning"
    requires = (*WHOLE_RESULT, "PROV001", "PROV002")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for index, provenance in _provenances(subject):
            task = _resolved(subject, provenance)
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


class ExecutedRule(Rule[ExecutedSpecs]):
    """A rule that compares specs with the results beside them."""

    subject = ExecutedSpecs
    requires = ("SPEC", "PROT", "NAME", "REF", "GATE009", "GATE010")


class ExecutedImmutable(ExecutedRule):
    """A record is evidence for the spec as it was executed. A changed spec under the same id would
    assign the old figures to a new experiment. A change needs the next `run`, which gives it its
    own id and record. The rule also fires if the task was removed, or its id given to another task.
    """

    id = "EXEC001"
    title = "an executed task was changed"
    fix = "restore the task, or write the next run and its exp_id"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for result, attempt, task_id, event in _contradicted(subject):
            name = attempt.task if event == "removed" else attempt.name
            executed = f"{name}, executed: {result.place(('task',))}"
            match event:
                case "changed":
                    place = subject.tree.by_id[task_id].place()
                    expected = f"the task as executed, or run: {attempt.run + 1}"
                case "reused":
                    place = subject.tree.by_id[task_id].place("exp_id")
                    expected = "an id that no other task has"
                case _:
                    place, expected = Place(subject.path), f"{task_id}, as it was executed"
            yield self.finding(place, executed, expected)


class WorkloadImmutable(ExecutedRule):
    """Every figure is measured on the workload. If it changes after tasks were executed, their
    figures can no longer be compared with new ones.
    """

    id = "EXEC002"
    title = "the workload was changed after tasks were executed on it"
    fix = "restore workload.yaml, or run every task again under the next run"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        by_place: dict[Place, list[str]] = {}
        for result, provenance in _executed(subject):
            task = _resolve(subject.tree, provenance.task, provenance.profile)
            if task and not _is_superseded(task, result) and _on_other_workload(provenance, task):
                place = self._decided_at(subject.tree, task)
                by_place.setdefault(place, []).append(result.path)
        for place, results in by_place.items():
            more = f" and {len(results) - 1} more" if len(results) > 1 else ""
            workload = f"another workload than that of {results[0]}{more}"
            yield self.finding(place, workload, "the workload that results were measured on")

    def _decided_at(self, tree: SpecTree, task: "ResolvedTask") -> Place:
        """Where the workload is declared: a profile may have its own data."""
        if task.profile.data != "embedded":
            for file in tree.of_kind("Profile"):
                if file.model.metadata.name == task.profile_name:
                    return file.place(("spec", "data"), of_key=True)
        return tree.of_kind("Workload")[0].place(("spec",), of_key=True)


def _provenances(subject: ResultJson) -> "Iterator[tuple[int, Provenance]]":
    for index, result in enumerate(subject.model.results if subject.model else ()):
        yield index, result.provenance


def _profiles(subject: ResultJson) -> list[str]:
    files = subject.specs.of_kind("Profile") if subject.specs else ()
    return [file.model.metadata.name for file in files]


def _resolved(subject: ResultJson, provenance: "Provenance") -> "ResolvedTask | None":
    tree = subject.specs
    return _resolve(tree, provenance.task, provenance.profile) if tree else None


def _resolve(tree: SpecTree, task: str, profile: str) -> "ResolvedTask | None":
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


def _executed(specs: ExecutedSpecs) -> "Iterator[tuple[ResultJson, Provenance]]":
    """Each faultless result file, with its candidate's provenance.

    Results that may not be quoted, e.g. of the profile ci, are left out.
    """
    profiles = specs.tree.spec_set.profiles if specs.tree.spec_set else {}
    for result in specs.results:
        if result.model is not None:
            provenance = result.model.candidates[0].provenance
            profile = profiles.get(provenance.profile)
            if profile and profile.quotable:
                yield result, provenance


def _contradicted(
    specs: ExecutedSpecs,
) -> "Iterator[tuple[ResultJson, Attempt, str, Contradiction]]":
    """Each result that the specs contradict, with the task; EXEC002 reports workloads."""
    for result, provenance in _executed(specs):
        task = _resolve(specs.tree, provenance.task, provenance.profile)
        is_as_executed = (
            task is None
            or _on_other_workload(provenance, task)
            or provenance.spec_digest == task.digest
        )
        tasks = specs.tree.spec_set.tasks if specs.tree.spec_set else {}
        attempt = _attempt(task, result)
        for task_id, event in contradictions(attempt, tasks, is_as_executed):
            yield result, attempt, task_id, event


def _on_other_workload(provenance: "Provenance", task: "ResolvedTask") -> bool:
    return provenance.workload_sha256 != task.workload_digest


def _is_superseded(task: "ResolvedTask", result: ResultJson) -> bool:
    return task.task.run > _attempt(task, result).run


def _attempt(task: "ResolvedTask | None", result: ResultJson) -> Attempt:
    """The run that a result belongs to, as far as the result says. The records of a task without
    its own experiment have the ids of other experiments.
    """
    file = result.model
    task_id = file.task if file else ""
    if file is None or task is None or task.exp_id is None:
        return Attempt(task_id)
    exp_ids = tuple(id_ for candidate in file.candidates if (id_ := candidate.exp_id) is not None)
    return Attempt(task_id, max(map(_run_of, exp_ids), default=1), exp_ids)


def _run_of(exp_id: str) -> int:
    """The run in an experiment's id; 1 for a text that is not an id, which REC020 reports."""
    from dust_core.declared.specs.names import parse_exp_id

    try:
        return parse_exp_id(exp_id).run
    except DustError:
        return 1


RULES = (
    TaskUnknown(),
    ProfileUnknown(),
    SpecDigest(),
    ProfileDigest(),
    DirtyTree(),
    ExecutedImmutable(),
    WorkloadImmutable(),
)
