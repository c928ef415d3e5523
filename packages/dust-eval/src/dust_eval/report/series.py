"""What a result file holds sample by sample: latencies by turn, and histories of trainings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dust_core.declared.records import Result, ResultFile


@dataclass(frozen=True)
class Turns:
    """Networks that one process timed in turn: label and role -> milliseconds."""

    task: str
    samples: tuple[tuple[str, str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Curve:
    """The history of one training, epoch by epoch.

    Attributes:
        phase, label: the chart that shows it, and its name there.
        before: epochs of the stages before it.
        entries: metric -> value, an entry for each epoch.
    """

    phase: str
    label: str
    before: float
    entries: tuple[Mapping[str, float], ...]


def turns_of(file: ResultFile) -> Turns:
    """The networks that a task timed in turn."""
    return Turns(
        file.task,
        tuple(
            (_label(result), result.provenance.role, result.provenance.latency.candidate_ms)
            for result in file.results
            if result.provenance.latency is not None
        ),
    )


def _label(result: Result) -> str:
    runtime = result.provenance.runtime
    return f"{result.exp_id}, {runtime.precision}" if runtime else str(result.exp_id)


def curves_of(phase: str, file: ResultFile) -> Iterator[Curve]:
    """The trainings in a result file: the stages of one network, or the variants of an ablation."""
    yield from _stages(phase, file.task, file.extra.get("curves"))
    trainings = file.extra.get("trainings")
    for exp_id, training in trainings.items() if isinstance(trainings, dict) else ():
        if isinstance(training, dict):  # results of before there were stages have one curve
            curves = training.get("curves", [training.get("curve")])
            yield from _stages(phase, exp_id, curves)


def _stages(phase: str, name: str, histories: Any) -> Iterator[Curve]:
    if not isinstance(histories, list):
        return
    before = 0.0
    for number, history in enumerate(histories, 1):
        if entries := _entries(history):
            label = name if len(histories) == 1 else f"{name}, stage {number}"
            yield Curve(phase, label, before, entries)
            before += entries[-1]["epoch"]


def _entries(history: Any) -> tuple[Mapping[str, float], ...]:
    """The epochs of a training's history; empty for another value."""
    entries = tuple(history) if isinstance(history, list) else ()
    return entries if entries and {"epoch", "train/total"} <= set(entries[0]) else ()
