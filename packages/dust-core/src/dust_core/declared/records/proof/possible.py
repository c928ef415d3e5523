"""Whether a result is one that its task can produce."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dust_core.declared.records.proof.evidence import Evidence, Loc, Stored, Unproven
from dust_core.declared.records.result import Result
from dust_core.declared.records.verdict import SAMPLED
from dust_core.declared.specs.models.ablation import AblationTask
from dust_core.declared.specs.names import exp_id

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

_EIGHT_BITS = 8


def impossible(evidence: Evidence) -> Iterator[Unproven]:
    """Experiments, artifacts, inputs, precisions and devices that are not the task's."""
    for task, stored in evidence.current():
        for index, result in enumerate(stored.file.results):
            at = ("results", index)
            yield from _conditions(evidence, task, stored, result, at)
            yield from _artifacts(evidence, task, stored, result, at)
            yield from _inputs(evidence, task, stored, result, at)
            if result.provenance.role == "candidate":
                yield from _experiment(evidence, task, stored, result, at)
                yield from _own_artifact(evidence, task, stored, result, at)


def experiments(evidence: Evidence, task_id: str) -> frozenset[str]:
    """The experiments whose figures a task may report as its candidates'.

    They are its own. A task without its own experiment measures those of the tasks that it needs,
    and a needed task that measured nothing, because it was not needed, is seen through.
    """
    task = evidence.tasks[task_id]
    if isinstance(task.task, AblationTask):
        return frozenset(map(exp_id, task.task.variant_experiments()))
    if task.exp_id is not None:
        return frozenset({task.exp_id})
    return frozenset().union(*(_measured_by(evidence, need) for need in task.task.needs))


def _measured_by(evidence: Evidence, task_id: str) -> frozenset[str]:
    if task_id not in evidence.tasks:
        return frozenset()
    task, stored = evidence.tasks[task_id], evidence.result_of(task_id)
    if task.exp_id is None:
        return experiments(evidence, task_id)
    if stored is None or any(candidate.record for candidate in stored.file.candidates):
        return frozenset({task.exp_id})
    return frozenset().union(*(_measured_by(evidence, need) for need in task.task.needs))


def _conditions(
    evidence: Evidence, task: "ResolvedTask", stored: Stored, result: Result, at: Loc
) -> Iterator[Unproven]:
    """Profile, runtime, threads, device and precision."""
    provenance, profile = result.provenance, task.profile
    runtime, record = provenance.runtime, result.record
    pairs: list[tuple[str, str, object, object]] = [
        ("profile", "profile", provenance.profile, task.profile_name),
        ("device", "device", provenance.device.kind, profile.device.kind),
    ]
    if runtime is not None:
        pairs.append(("runtime", "runtime", runtime.name, profile.runtime.name))
        pairs.append(("runtime", "threads", runtime.threads, profile.threads))
    if evidence.device and any(gate.metric in SAMPLED for gate in task.gates.values()):
        here, there = provenance.device.fingerprint[:12], evidence.device[:12]
        pairs.append(("device", "device", here, there))
    for field, name, says, due in pairs:
        if says != due:
            expected = f"{due}, as for {task.profile_name}"
            yield stored.unproven("task", (*at, "provenance", field), f"{name} {says}", expected)
    if runtime is not None and record is not None:
        in_eight = record.bits_w == _EIGHT_BITS
        if in_eight != runtime.precision.startswith("int8"):
            place = (*at, "provenance", "runtime", "precision")
            due = "an INT8 precision" if in_eight else "a floating-point precision"
            expected = f"{due}, as bits_w of {record.exp_id} is {record.bits_w or 'null'}"
            yield stored.unproven("task", place, f"precision {runtime.precision}", expected)


def _artifacts(
    evidence: Evidence, task: "ResolvedTask", stored: Stored, result: Result, at: Loc
) -> Iterator[Unproven]:
    """The files of a result are inputs or outputs of its task, or of its baseline's task."""
    provenance = result.provenance
    owners = {task.id}
    if provenance.role == "baseline":
        owners |= {name for other in stored.file.results for name in other.provenance.baselines}
    allowed = {
        name
        for owner in owners & set(evidence.tasks)
        for name in (*evidence.tasks[owner].task.inputs, *evidence.tasks[owner].task.outputs)
    }
    for name, digest in provenance.artifacts.items():
        place = (*at, "provenance", "artifacts", name)
        if name not in allowed:
            expected = f"an input or an output of {task.id}"
            yield stored.unproven("task", place, name, expected)
        elif provenance.inputs.get(name, digest) != digest:
            expected = f"{provenance.inputs[name][:12]}, as it was read"
            yield stored.unproven("task", place, f"{name}: {digest[:12]}", expected)


def _inputs(
    evidence: Evidence, task: "ResolvedTask", stored: Stored, result: Result, at: Loc
) -> Iterator[Unproven]:
    """What was read is what the task declares, byte for byte as its writer recorded it."""
    here = (*at, "provenance", "inputs")
    read, declared = result.provenance.inputs, task.task.inputs
    if set(read) != set(declared):
        says = ", ".join(sorted(read)) or "nothing read"
        expected = ", ".join(sorted(declared)) or "no input"
        yield stored.unproven("task", here, says, f"{expected}, the inputs of {task.id}")
        return
    for name, digest in read.items():
        writer = evidence.writer(name)
        source = None if writer is None else evidence.result_of(writer)
        if source is None:
            continue
        recorded = _recorded(source, name)
        if digest not in recorded:
            due = ", ".join(sorted(known[:12] for known in recorded)) or "no such file"
            says = f"{name}: {digest[:12]}"
            expected = f"{due}, as {writer} recorded it in {source.name}"
            yield stored.unproven("task", (*here, name), says, expected)


def _recorded(source: Stored, name: str) -> set[str]:
    """The digests under which a task's result knows a file that the task wrote."""
    if name == source.name:
        return {source.sha256}
    named = (candidate.provenance.artifacts.get(name) for candidate in source.file.candidates)
    return {digest for digest in named if digest is not None}


def _experiment(
    evidence: Evidence, task: "ResolvedTask", stored: Stored, result: Result, at: Loc
) -> Iterator[Unproven]:
    """The candidate's experiment is the task's, or of the task whose output is measured."""
    if result.exp_id is None:
        return
    place = (*at, "record", "exp_id")
    allowed = experiments(evidence, task.id)
    if result.exp_id not in allowed:
        expected = f"one of {', '.join(sorted(allowed)) or 'no experiments'}, of {task.id}"
        yield stored.unproven("task", place, f"candidate {result.exp_id}", expected)
        return
    networks = [name for name in task.task.outputs if not name.endswith(".json")]
    for name in result.provenance.artifacts:
        writer = evidence.writer(name)
        measured = (*at, "provenance", "artifacts", name)
        if task.exp_id is not None:
            # Without an output of its own, such as P0-2, it measures what it reads.
            if networks and name not in networks:
                expected = f"{' and '.join(networks)}, which {task.id} writes"
                yield stored.unproven("task", measured, name, expected)
        elif writer not in (None, task.id) and result.exp_id not in _measured_by(evidence, writer):
            expected = f"a file of {result.exp_id}; {writer} wrote this file"
            yield stored.unproven("task", measured, name, expected)


def _own_artifact(
    evidence: Evidence, task: "ResolvedTask", stored: Stored, result: Result, at: Loc
) -> Iterator[Unproven]:
    """A candidate is not the network that it is compared with."""
    if result.record is None:
        return
    baselines = {gate.baseline for gate in task.gates.values() if gate.baseline}
    theirs = {ref.sha256: name for name, ref in result.provenance.baselines.items()}
    for name in baselines:
        own = evidence.result_of(name)
        for candidate in own.file.candidates if own else ():
            theirs |= dict.fromkeys(candidate.provenance.artifacts.values(), name)
    for name, digest in result.provenance.artifacts.items():
        if digest in theirs:
            place = (*at, "provenance", "artifacts", name)
            expected = f"another file than that of the baseline {theirs[digest]}"
            yield stored.unproven("task", place, f"{name}: {digest[:12]}", expected)
