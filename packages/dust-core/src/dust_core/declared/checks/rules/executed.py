"""EXEC: executed specs stay as they were."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from dust_core.declared.agreed.executions import Attempt, Contradiction, Executed, contradictions
from dust_core.declared.change.recorded import departures
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.rules.provenance import resolved_in
from dust_core.declared.checks.subjects import ExecutedSpecs, ResultJson, SpecTree
from dust_core.declared.reading.place import Place

if TYPE_CHECKING:
    from dust_core.declared.records import Provenance
    from dust_core.declared.specs import ResolvedTask


class ExecutedRule(Rule[ExecutedSpecs]):
    """A rule that compares specs with what was executed."""

    subject = ExecutedSpecs
    requires: ClassVar[tuple[str, ...]] = (
        "SPEC", "PROT", "NAME", "REF", "GATE009", "GATE010", "EXEC003",
    )  # fmt: skip


class ExecutedImmutable(ExecutedRule):
    """A record is evidence for the spec as it was executed. A changed spec under the same id would
    assign the old figures to a new experiment. A change needs the next `run`, which gives it its
    own id and record. The rule also fires if the task was removed, or its id given to another task.
    What was executed is in the ledger, in dvc.lock and in the results, so that the rule needs no
    artifacts.
    """

    id = "EXEC001"
    title = "an executed task was changed"
    fix = "restore the task, or write the next run and its exp_id"

    def check(self, subject: ExecutedSpecs) -> Iterator[Finding]:
        for where, attempt, task_id, event in _contradicted(subject):
            name = attempt.task if event == "removed" else attempt.name
            executed = f"{name}, executed: {where}"
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
        for executed in subject.last:
            task = resolved_in(subject.tree, executed.attempt.task, executed.profile)
            is_present = task is not None and task.task.run <= executed.attempt.run
            if task and is_present and executed.is_on_other_workload(task):
                place = self._decided_at(subject.tree, task)
                by_place.setdefault(place, []).append(subject.place_of(executed).path)
        for result, provenance in _results(subject):
            task = resolved_in(subject.tree, provenance.task, provenance.profile)
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


def _contradicted(
    subject: ExecutedSpecs,
) -> "Iterator[tuple[Place, Attempt, str, Contradiction]]":
    """Each execution that the specs contradict, with the task; EXEC002 reports workloads."""
    tasks = subject.tree.spec_set.tasks if subject.tree.spec_set else {}
    for executed in subject.last:
        task = resolved_in(subject.tree, executed.attempt.task, executed.profile)
        is_as_executed = task is None or _is_as_executed(executed, task, subject)
        for task_id, event in contradictions(executed.attempt, tasks, is_as_executed):
            yield subject.place_of(executed), executed.attempt, task_id, event
    for result, provenance in _results(subject):
        task = resolved_in(subject.tree, provenance.task, provenance.profile)
        is_as_executed = (
            task is None
            or _on_other_workload(provenance, task)
            or provenance.spec_digest == task.digest
        )
        attempt = _attempt(task, result)
        for task_id, event in contradictions(attempt, tasks, is_as_executed):
            yield result.place(("task",)), attempt, task_id, event


def _is_as_executed(executed: Executed, task: "ResolvedTask", subject: ExecutedSpecs) -> bool:
    if executed.is_on_other_workload(task):
        return True
    locked = executed.locked
    return not executed.differs_from(task) and (
        locked is None or not any(departures(locked, subject.models))
    )


def _results(subject: ExecutedSpecs) -> "Iterator[tuple[ResultJson, Provenance]]":
    """Each faultless result file that the ledger does not speak for, with its candidate's
    provenance.

    Results that may not be quoted, e.g. of the profile ci, are left out.
    """
    recorded = {
        (line.profile, line.task, line.spec_digest, line.workload_sha256)
        for executed in subject.last
        if (line := executed.line) is not None
    }
    for result in subject.results:
        if result.model is None:
            continue
        provenance = result.model.candidates[0].provenance
        identity = (provenance.spec_digest, provenance.workload_sha256)
        if (provenance.profile, provenance.task, *identity) in recorded:
            continue
        if provenance.profile in subject.quotable:
            yield result, provenance


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
    from dust_core.errors import DustError

    try:
        return parse_exp_id(exp_id).run
    except DustError:
        return 1


RULES = (ExecutedImmutable(), WorkloadImmutable())
