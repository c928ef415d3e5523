"""What the report says, as values: gathered from specs and result files alone."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dust_core.declared.records import Record, Result, ResultFile, SheetRow, sheet_rows
from dust_core.declared.specs import SpecSet, resolve
from dust_core.declared.specs.names import STAGES
from dust_core.errors import DustError
from dust_eval.gates.stage import TaskVerdicts, judge_stage
from dust_eval.report.comparison import Comparison, compared

NOT_RUN = "not run"


@dataclass(frozen=True)
class TaskView:
    """A task of the specs and what became of it.

    Attributes:
        id, title, hypothesis: as the specs have them.
        status: `pass`, `fail`, `inconclusive`, `settled` or `not run`.
        judged: its verdicts, and why they do not count where they do not.
        records: what it measured as candidates.
        again: what a second measurement in the same process gave, where one was taken.
    """

    id: str
    title: str
    hypothesis: str
    status: str
    judged: TaskVerdicts
    records: tuple[Record, ...]
    again: Mapping[str, Any] | None


@dataclass(frozen=True)
class StageView:
    """A stage with its tasks, in the specs' order."""

    phase: str
    title: str
    tasks: tuple[TaskView, ...]


@dataclass(frozen=True)
class Measurement:
    """One row of the table of records: the newest of an experiment in a precision."""

    record: Record
    role: str
    precision: str
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class Origin:
    """Where the figures of a task come from."""

    task: str
    finished: dt.datetime
    commit: str
    dirty: bool
    device: str
    runtime: str
    digest: str


@dataclass(frozen=True)
class Turns:
    """Networks that one process timed in turn: label and role -> milliseconds."""

    task: str
    samples: tuple[tuple[str, str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Curve:
    """The history of one training, epoch by epoch.

    Attributes:
        phase, label: where it is drawn, and what tells it from its neighbours.
        before: epochs of the stages before it.
        entries: metric -> value, an entry an epoch.
    """

    phase: str
    label: str
    before: float
    entries: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Content:
    """Everything on the page."""

    profile: str
    title: str
    quotable: bool
    stages: tuple[StageView, ...]
    measurements: tuple[Measurement, ...]
    comparisons: tuple[Comparison, ...]
    turns: tuple[Turns, ...]
    curves: tuple[Curve, ...]
    sheet: tuple[SheetRow, ...]
    origins: tuple[Origin, ...]
    newest: dt.datetime

    @property
    def views(self) -> tuple[TaskView, ...]:
        """The tasks of all stages."""
        return tuple(task for stage in self.stages for task in stage.tasks)

    @property
    def tasks(self) -> int:
        """How many tasks the specs have."""
        return len(self.views)

    @property
    def executed(self) -> int:
        """How many of them have a result."""
        return sum(task.status != NOT_RUN for task in self.views)

    def count(self, status: str) -> int:
        """How many tasks have that status."""
        return sum(task.status == status for task in self.views)


def gather(specs: SpecSet, profile: str, files: Mapping[Path, ResultFile]) -> Content:
    """Judge every stage as the specs stand now, and arrange what was measured.

    Raises:
        DustError: there is no such profile, or it has no result at all.
    """
    if not files:
        raise DustError(
            f"the profile {profile} has no result yet",
            where="artifacts",
            fix=f"run a stage first: dust repro P0 --profile {profile}",
        )
    order = list(specs.tasks)
    known = sorted(
        (file for file in files.values() if file.task in specs.tasks),
        key=lambda file: (order.index(file.task), _ended(file)),
    )
    profiles = {
        file.metadata.name: file.metadata.title
        for file in specs.files.values()
        if file.kind == "Profile"  # type: ignore[attr-defined]
    }
    return Content(
        profile=profile,
        title=profiles[profile],
        quotable=specs.profile(profile).quotable,
        stages=tuple(_stage(specs, stage, profile, known) for stage in STAGES),
        measurements=_measurements(known),
        comparisons=tuple(compared(known, _teacher(specs))),
        turns=tuple(turns for file in known if len((turns := _turns(file)).samples) > 1),
        curves=tuple(curve for file in known for curve in _curves(specs, file)),
        sheet=tuple(sheet_rows(files)),
        origins=tuple(_origin(file) for file in known),
        newest=max(_ended(file) for file in files.values()),
    )


def _ended(file: ResultFile) -> dt.datetime:
    return max(one.provenance.finished for one in file.results)


def _teacher(specs: SpecSet) -> str:
    """The task that measures the teacher, which every drop is taken against."""
    return next(name for name, task in specs.tasks.items() if task.does == "evaluate-teacher")


def _stage(specs: SpecSet, stage: str, profile: str, files: list[ResultFile]) -> StageView:
    tasks = [resolve(specs, task, profile) for task in specs.stage(STAGES[stage])]
    views = tuple(
        TaskView(
            id=judged.task,
            title=task.task.title,
            hypothesis=task.task.hypothesis,
            status=_status(judged, files),
            judged=judged,
            records=tuple(
                one.record
                for file in files
                if file.task == judged.task
                for one in file.candidates
                if one.record is not None
            ),
            again=next((_again(file) for file in files if file.task == judged.task), None),
        )
        for task, judged in zip(tasks, judge_stage(tasks, files), strict=True)
    )
    title = specs.task_files[tasks[0].id].metadata.title
    return StageView(STAGES[stage], title.removeprefix(STAGES[stage]).lstrip(":, "), views)


def _again(file: ResultFile) -> Mapping[str, Any] | None:
    found = file.extra.get("again")
    return found if isinstance(found, dict) else None


def _status(judged: TaskVerdicts, files: Iterable[ResultFile]) -> str:
    if judged.settled is not None:
        return "settled"
    if all(file.task != judged.task for file in files):
        return NOT_RUN
    return judged.status or NOT_RUN


def _measurements(files: Iterable[ResultFile]) -> tuple[Measurement, ...]:
    """Candidates and references; of the same network in the same precision, the newest."""
    found: dict[tuple[str, str, str], Measurement] = {}
    for one in (one for file in files for one in file.results):
        record, runtime, role = one.record, one.provenance.runtime, one.provenance.role
        if record is None or role == "baseline":
            continue
        precision = runtime.precision if runtime else "not executed"
        row = Measurement(record, role, precision, one.provenance.reasons)
        key = (record.exp_id, precision, role)
        if key not in found or record.datetime > found[key].record.datetime:
            found[key] = row
    return tuple(found.values())


def _turns(file: ResultFile) -> Turns:
    return Turns(
        file.task,
        tuple(
            (_label(one), one.provenance.role, one.provenance.latency.candidate_ms)
            for one in file.results
            if one.provenance.latency is not None
        ),
    )


def _label(one: Result) -> str:
    runtime = one.provenance.runtime
    return f"{one.exp_id}, {runtime.precision}" if runtime else str(one.exp_id)


def _curves(specs: SpecSet, file: ResultFile) -> Iterable[Curve]:
    histories = file.extra.get("curves")
    if not isinstance(histories, list):
        return
    phase, before = STAGES[specs.task_files[file.task].STAGE], 0.0
    for number, history in enumerate(histories, 1):
        entries: tuple[Any, ...] = tuple(history) if isinstance(history, list) else ()
        if entries and {"epoch", "train/total"} <= set(entries[0]):
            label = file.task if len(histories) == 1 else f"{file.task}, stage {number}"
            yield Curve(phase, label, before, entries)
            before += entries[-1]["epoch"]


def _origin(file: ResultFile) -> Origin:
    proof = file.candidates[0].provenance
    runtime = proof.runtime
    return Origin(
        task=file.task,
        finished=proof.finished,
        commit=proof.commit,
        dirty=proof.dirty,
        device=proof.device.name,
        runtime="-"
        if runtime is None
        else f"{' '.join(f'{k} {v}' for k, v in runtime.versions.items())}, {runtime.precision}, "
        f"{runtime.threads} threads",
        digest=proof.spec_digest,
    )
