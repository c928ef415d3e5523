"""The content of the report as values, from specs and result files alone."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dust_core.declared.records import (
    NOT_PULLED,
    NOT_RUN,
    Record,
    ResultFile,
    SheetRow,
    awaited_sheet,
    read_result_folder,
    sheet_rows,
    why_absent,
)
from dust_core.declared.records.proof import recorded_outputs
from dust_core.declared.specs import ResolvedTask, SpecSet, resolve
from dust_core.declared.specs.models.ablation import AblationTask
from dust_core.declared.specs.names import STAGES
from dust_eval.gates import TaskVerdicts, declared_results, judge_stage, unproven_results
from dust_eval.gates.claims import Outcome
from dust_eval.report.ablations import AblationView, ablation_view
from dust_eval.report.comparison import Comparison, compared
from dust_eval.report.eight_bits import EightBits, LayersView, eight_bits, layers_of
from dust_eval.report.pruning import PruningView, pruning_view
from dust_eval.report.records_table import RecordRow, measurements
from dust_eval.report.scene_times import SceneTimes, scene_times
from dust_eval.report.series import Curve, Turns, curves_of, turns_of

_WITHOUT = {NOT_RUN: "not run", NOT_PULLED: "dvc pull"}
"""The status of a task without a result, by the reason."""


@dataclass(frozen=True)
class TaskView:
    """A task of the specs and its outcome.

    Attributes:
        id, title, hypothesis: as in the specs.
        status: `pass`, `fail`, `inconclusive` or `settled`; `not run` or `dvc pull` where there is
            no result here.
        absent: why it has no result here; None where it has one.
        judged: its verdicts, and the reason where they do not count.
        records: the records of its candidates.
        again: the result of a second measurement in the same process, if there was one.
    """

    id: str
    title: str
    hypothesis: str
    status: str
    absent: str | None
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
class Origin:
    """The provenance of a task's figures."""

    task: str
    finished: dt.datetime
    commit: str
    dirty: bool
    device: str
    runtime: str
    digest: str


@dataclass(frozen=True)
class Content:
    """Everything on the page that specs and result files give.

    Attributes:
        newest: when the last measurement ended; None without results.
        recorded: whether dvc.lock has results of the profile.
    """

    profile: str
    title: str
    quotable: bool
    stages: tuple[StageView, ...]
    measurements: tuple[RecordRow, ...]
    comparisons: tuple[Comparison, ...]
    prunings: tuple[PruningView, ...]
    ablations: tuple[AblationView, ...]
    eight_bits: EightBits | None
    layers: tuple[LayersView, ...]
    scenes: SceneTimes
    turns: tuple[Turns, ...]
    curves: tuple[Curve, ...]
    sheet: tuple[SheetRow, ...]
    origins: tuple[Origin, ...]
    newest: dt.datetime | None
    recorded: bool

    @property
    def views(self) -> tuple[TaskView, ...]:
        """The tasks of all stages."""
        return tuple(task for stage in self.stages for task in stage.tasks)

    @property
    def tasks(self) -> int:
        """How many tasks the specs have."""
        return len(self.views)

    @property
    def variants(self) -> tuple[str, ...]:
        """The tasks whose candidates are variants of an ablation."""
        return tuple(view.task for view in self.ablations)

    @property
    def headline(self) -> Comparison | None:
        """The candidate that saves most latency, of those whose task passes, or else of all.

        A network counts as the last task that measured it found it: that is the evaluation of its
        file alone. A variant of an ablation is none.
        """
        passed = {task.id for task in self.views if task.status == "pass"}
        last = {
            drawn.candidate.exp_id: drawn
            for drawn in self.comparisons
            if drawn.saved is not None and drawn.task not in self.variants
        }
        return max(
            last.values(), key=lambda drawn: (drawn.task in passed, drawn.saved or 0), default=None
        )

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What came of a task's hypothesis, for the tasks whose claims are judged."""
        return {view.task: view.outcome for view in self.ablations if view.claims}

    @property
    def executed(self) -> int:
        """How many tasks have a result."""
        return sum(task.absent is None for task in self.views)

    def count(self, status: str) -> int:
        """How many tasks have that status."""
        return sum(task.status == status for task in self.views)


def gather(specs: SpecSet, profile: str, folder: Path) -> Content:
    """Judge every stage by the present specs, and arrange the measurements.

    Figures are those of the runs that the specs declare. The sheet lists every execution that has
    a result file. Without any result every task is absent, for its reason.

    Args:
        folder: the profile's folder of artifacts.

    Raises:
        DustError: there is no such profile, or a result file is broken.
    """
    resolved = {task: resolve(specs, task, profile) for task in specs.tasks}
    executions = read_result_folder(folder) if folder.is_dir() else {}
    results = declared_results(
        {task: own.result_file(task) for task, own in specs.tasks.items()}, folder
    )
    recorded = recorded_outputs(folder)
    absent = why_absent(resolved, {path.name for path in executions}, recorded)
    unproven = unproven_results(resolved, folder)
    stages = tuple(_stage(specs, stage, resolved, results, unproven, absent) for stage in STAGES)
    views = [view for stage in stages for view in stage.tasks]
    verdicts = {view.id: view.judged.verdicts for view in views}
    turns = map(turns_of, results.values())
    ablations = (
        ablation_view(resolved[view.id], results.get(view.id), view.judged) for view in views
    )
    prunings = (pruning_view(view.id, view.title, results.get(view.id)) for view in views)
    variants = [task for task, own in specs.tasks.items() if isinstance(own, AblationTask)]
    titles = {
        file.metadata.name: file.metadata.title
        for file in specs.files.values()
        if file.kind == "Profile"  # type: ignore[attr-defined]
    }
    return Content(
        profile=profile,
        title=titles[profile],
        quotable=specs.profile(profile).quotable,
        stages=stages,
        measurements=measurements(results.values()),
        comparisons=tuple(compared(results, _teacher(specs), verdicts)),
        turns=tuple(timed for timed in turns if len(timed.samples) > 1),
        prunings=tuple(view for view in prunings if view is not None),
        ablations=tuple(view for view in ablations if view is not None),
        eight_bits=eight_bits(results, _teacher(specs), variants),
        layers=tuple(filter(None, (layers_of(task, file) for task, file in results.items()))),
        scenes=scene_times(next(iter(resolved.values())).workload, results.values()),
        curves=tuple(
            curve
            for task, file in results.items()
            for curve in curves_of(STAGES[specs.task_files[task].STAGE], file)
        ),
        sheet=(*sheet_rows(executions), *awaited_sheet(resolved, absent)),
        origins=tuple(_origin(file) for file in results.values()),
        newest=max(map(_ended, results.values()), default=None),
        recorded=bool(recorded),
    )


def _ended(file: ResultFile) -> dt.datetime:
    return max(result.provenance.finished for result in file.results)


def _teacher(specs: SpecSet) -> str:
    """The task that measures the teacher, the reference of every drop."""
    return next(name for name, task in specs.tasks.items() if task.does == "evaluate-teacher")


def _stage(
    specs: SpecSet,
    stage: str,
    resolved: Mapping[str, ResolvedTask],
    results: Mapping[str, ResultFile],
    unproven: Mapping[str, Sequence[str]],
    absent: Mapping[str, str],
) -> StageView:
    tasks = [resolved[task] for task in specs.stage(STAGES[stage])]
    views = tuple(
        _view(task, judged, results.get(task.id), absent.get(task.id))
        for task, judged in zip(tasks, judge_stage(tasks, results, unproven), strict=True)
    )
    title = specs.task_files[tasks[0].id].metadata.title
    return StageView(STAGES[stage], title.removeprefix(STAGES[stage]).lstrip(":, "), views)


def _view(
    task: ResolvedTask, judged: TaskVerdicts, file: ResultFile | None, absent: str | None
) -> TaskView:
    candidates = file.candidates if file else ()
    again = file.extra.get("again") if file else None
    return TaskView(
        id=task.id,
        title=task.task.title,
        hypothesis=task.task.hypothesis,
        status=_status(judged, absent),
        absent=absent,
        judged=judged,
        records=tuple(result.record for result in candidates if result.record is not None),
        again=again if isinstance(again, dict) else None,
    )


def _status(judged: TaskVerdicts, absent: str | None) -> str:
    if judged.settled is not None:
        return "settled"
    return _WITHOUT[absent] if absent else judged.status or "not run"


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
