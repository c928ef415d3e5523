"""The verb `dust repro`: DVC runs the stale stages, then their lines are judged."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.change.ledger_command import show_recorded
from dust_core.declared.change.recording import record_executions
from dust_core.declared.change.text import counted
from dust_core.declared.draft import is_draft, mark_draft
from dust_core.declared.dvc_files import mend
from dust_core.declared.executors import require_executors
from dust_core.declared.options import DraftOption, ProfileOption, SpecsOption
from dust_core.declared.pipeline.stages import dvc_yaml
from dust_core.declared.project import ARTIFACTS, EMBEDDED_PROFILE, SPECS, pipeline_path
from dust_core.declared.records import read_result_file
from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_eval.cluster.stages import bring_up_to_date
from dust_eval.gates.announcement import announcement
from dust_eval.gates.commands import report_text, show, stage_report
from dust_eval.gates.dvc_process import run_dvc

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet
    from dust_core.declared.specs.models import Task
    from dust_eval.cluster.workers import Workers


def repro(
    stages: Annotated[
        list[str] | None, typer.Argument(help="P0 to P5; all of them by default.")
    ] = None,
    profile: ProfileOption = EMBEDDED_PROFILE,
    specs: SpecsOption = SPECS,
    draft: DraftOption = False,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULER",
            help="Give the stale stages to workers of dask: local, local:3 or tcp://HOST:PORT.",
        ),
    ] = None,
) -> None:
    """Reproduce stages through DVC and judge them.

    A stage whose inputs have not changed is taken from the cache. The run ends after the first
    stage in which a task with `on_failure: stop` misses a line. The exit code is 1 unless all tasks
    pass. Lines bind nothing where figures are not to be quoted: every task needs only to have run.
    What ran under a quotable profile is appended to the ledger of executions. With --on, stages
    that do not read each other's files run side by side; their results come back through DVC.
    """
    from dust_core.declared.records.environment import described_device
    from dust_core.declared.specs import load_specs
    from dust_core.declared.specs.names import STAGES

    mark_draft(draft=draft)
    spec_set = load_specs(specs)
    tasks = {stage: spec_set.stage(stage) for stage in stages or STAGES.values()}
    every = {name: task for members in tasks.values() for name, task in members.items()}
    require_executors({name: task.does for name, task in every.items()})
    _require_fresh(spec_set, profile)
    mend(Path(), profile)
    # Workers have devices of their own.
    device = None if on else described_device(spec_set.profile(profile).device.kind).as_text()
    for line in announcement(specs, profile, stages or (), device):
        typer.echo(line)
    with _workers(on, spec_set, profile, every) as workers:
        missed = _stage_by_stage(spec_set, specs, tasks, profile, workers)
    typer.echo(_ending(tasks, missed, binding=spec_set.profile(profile).quotable))
    if missed:
        raise typer.Exit(1)


def _ending(tasks: Mapping[str, Collection[str]], missed: Collection[str], *, binding: bool) -> str:
    """What the exit code stands for, as the last line."""
    count = sum(map(len, tasks.values()))
    every = f"{counted(count, 'task')} of {', '.join(tasks)}"
    if not binding:
        return f"{every} ran; the lines of this profile bind nothing: exit 0"
    if not missed:
        return f"{every} pass: exit 0"
    return f"{count - len(missed)} of {every} pass, {', '.join(missed)} not: exit 1"


def _stage_by_stage(
    spec_set: "SpecSet",
    specs: Path,
    tasks: Mapping[str, Mapping[str, "Task"]],
    profile: str,
    workers: "Workers | None",
) -> list[str]:
    """Bring stages up to date and judge them; the tasks that do not pass."""
    binding = spec_set.profile(profile).quotable
    if not binding:  # no verdict ends the run, and DVC takes seconds to read its own files
        every = [task for members in tasks.values() for task in members]
        _bring_up_to_date(spec_set, every, profile, workers)
    missed: list[str] = []
    for stage, members in tasks.items():
        if binding:
            _bring_up_to_date(spec_set, members, profile, workers)
        failed = [task for task in _judge(spec_set, stage, profile) if binding]
        if binding:
            show_recorded(record_executions(specs.resolve().parent, spec_set, profile, members))
        missed += failed
        stopping = [task for task in failed if spec_set.tasks[task].on_failure == "stop"]
        if stopping and stage != list(tasks)[-1]:
            raise DustError(
                f"{', '.join(stopping)} missed a line and on_failure is stop: "
                f"nothing after {stage} ran",
                where=stage,
                fix="take the next run of the task in its spec, or name later stages to run them",
                exit_code=1,
            )
    return missed


@contextmanager
def _workers(
    on: str | None, specs: "SpecSet", profile: str, tasks: Iterable[str]
) -> "Iterator[Workers | None]":
    """The workers of a scheduler, which have what they need; None where there is no scheduler."""
    if on is None:
        yield None
        return
    from dust_core.scheduler import connected, is_local
    from dust_eval.cluster.comparable import require_comparable
    from dust_eval.cluster.source import source_here
    from dust_eval.cluster.workers import Workers

    source = source_here(local=is_local(on))
    with connected(on) as client:
        workers = Workers(
            client=client,
            source=source,
            profile=profile,
            device=specs.profile(profile).device.kind,
            alone=specs.profile(profile).quotable,
            check=partial(require_comparable, specs, profile),
        )
        run_dvc(profile, "push", "--quiet", "--run-cache", "--with-deps", *_targets(tasks, profile))
        workers.join()
        try:
            yield workers
        finally:
            workers.leave()


def _require_fresh(specs: "SpecSet", profile: str) -> None:
    declared, path = dvc_yaml(specs, profile), pipeline_path(profile)
    if not path.is_file() or Path(path).read_text(encoding="utf-8") != declared:
        raise DustError(
            "the pipeline differs from the specs",
            where=str(path),
            fix="write it anew with 'dust pipeline' and commit it with the specs",
        )


def _bring_up_to_date(
    specs: "SpecSet", tasks: Iterable[str], profile: str, workers: "Workers | None"
) -> None:
    """Run the stale stages of `tasks`, and fetch the results of the rest."""
    if workers is None:
        # A clone need not have the intermediate files of stages that are done.
        run_dvc(profile, "repro", "--pull", "--allow-missing", *_targets(tasks, profile))
    else:
        bring_up_to_date(workers, _targets(tasks, profile))
    drafts = [task for task in tasks if _is_of_draft(specs, task, profile)]
    if drafts and not is_draft():
        # For DVC the result of a draft is up to date, because it has the same inputs.
        if workers is None:
            run_dvc(profile, "repro", "--force", "--single-item", *_targets(drafts, profile))
        else:
            bring_up_to_date(workers, _targets(drafts, profile), force=True)
    # `repro` does not fetch the results of a stage that ran elsewhere, but they are judged here,
    # and a baseline is compared with its own task's result.
    lines = [specs.gate(name) for task in tasks for name in specs.tasks[task].gate]
    baselines = [line.baseline for line in lines if line.baseline is not None]
    absent = [
        task
        for task in dict.fromkeys([*tasks, *baselines])
        if not (ARTIFACTS / profile / specs.tasks[task].result_file(task)).is_file()
    ]
    if absent:
        run_dvc(profile, "pull", "--allow-missing", *_targets(absent, profile))


def _is_of_draft(specs: "SpecSet", task: str, profile: str) -> bool:
    """Whether the result of a task, if there is one here, is that of a draft."""
    path = ARTIFACTS / profile / specs.tasks[task].result_file(task)
    if not path.is_file():
        return False
    return any(result.provenance.draft for result in read_result_file(path).results)


def _targets(tasks: Iterable[str], profile: str) -> list[str]:
    return [f"{pipeline_path(profile)}:{task}" for task in tasks]


def _judge(specs: "SpecSet", stage: str, profile: str) -> list[str]:
    """Print and write the verdicts of a stage; return the tasks that do not pass."""
    report = stage_report(specs, stage, profile)
    atomic_write_text(ARTIFACTS / profile / "verdicts" / f"{stage}.json", report_text(report))
    show(report)
    return [task.task for task in report.tasks if not task.passed]
