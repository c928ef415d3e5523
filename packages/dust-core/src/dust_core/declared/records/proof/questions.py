"""Every question that a stored result has to answer, and the answers by task."""

from collections.abc import Callable, Iterator, Mapping

from dust_core.declared.records.proof.agreement import disagreements
from dust_core.declared.records.proof.evidence import Evidence, Kind, Unproven
from dust_core.declared.records.proof.figures import figures_without_source
from dust_core.declared.records.proof.history import other_sizes, second_files, unrecorded
from dust_core.declared.records.proof.possible import impossible

QUESTIONS: Mapping[Kind, Callable[[Evidence], Iterator[Unproven]]] = {
    "source": figures_without_source,
    "agreement": disagreements,
    "task": impossible,
    "twice": second_files,
    "size": other_sizes,
    "history": unrecorded,
}


def unproven(evidence: Evidence) -> tuple[Unproven, ...]:
    """Everything that stands between the results of a profile and their proof."""
    return tuple(fault for ask in QUESTIONS.values() for fault in ask(evidence))


def faults_of(evidence: Evidence) -> dict[str, tuple[Unproven, ...]]:
    """`unproven` by the task whose candidates it makes inconclusive."""
    by_task: dict[str, list[Unproven]] = {}
    for fault in unproven(evidence):
        by_task.setdefault(fault.task, []).append(fault)
    return {task: tuple(faults) for task, faults in by_task.items()}
