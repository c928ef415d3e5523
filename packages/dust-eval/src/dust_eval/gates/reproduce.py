"""The verb `dust repro`: DVC runs the stale stages, then their lines are judged."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.change.ledger_command import show_recorded
from dust_core.declared.change.recording import record_executions
from dust_core.declared.draft import is_draft, mark_draft
from dust_core.declared.dvc_files import mend
from dust_core.declared.executors import require_executors
from dust_core.declared.options import DraftOption, ProfileOption, SpecsOption
from dust_core.declared.pipeline.stages import dvc_yaml
from dust_core.declared.project import ARTIFACTS, EMBEDDED_PROFILE, SPECS, pipeline_path
from dust_core.declared.records import read_result_file
from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_eval.gates.commands import report_text, show, stage_report
from dust_eval.gates.dvc_process import run_dvc

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


def repro(
    stages: Annotated[
        list[str] | None, typer.Argument(help="P0 to P5; all of them by default.")
    ] = None,
    profile: ProfileOption = EMBEDDED_PROFILE,
    specs: SpecsOption = SPECS,
    draft: DraftOption = False,
) -> None:
    """Reproduce stages through DVC and judge them.

    A stage whose inputs have not changed is taken from the cache. The run ends after the first
    stage in which a task with `on_failure: stop` misses a line. The exit code is 1 unless all tasks
    pass. Lines bind nothing where figures are not to be quoted: every task needs only to have run.
    What ran under a quotable profile is appended to the ledger of executions.
    """
    from dust_core.declared.specs import load_specs
    from dust_core.declared.specs.names import STAGES

    mark_draft(draft=draft)
    spec_set = load_specs(specs)
    binding = spec_set.profile(profile).quotable
    tasks = {stage: spec_set.stage(stage) for stage in stages or STAGES.values()}
    every = {name: task for members in tasks.values() for name, task in members.items()}
    require_executors({name: task.does for name, task in every.items()})
    _require_fresh(spec_set, profile)
    mend(Path(), profile)
    if not binding:  # no verdict ends the run, and DVC takes seconds to read its own files
        _bring_up_to_date(spec_set, every, profile)
    missed = False
    for stage, members in tasks.items():
        if binding:
            _bring_up_to_date(spec_set, members, profile)
        failed = [task for task in _judge(spec_set, stage, profile) if binding]
        if binding:
            show_recorded(record_executions(specs.resolve().parent, spec_set, profile, members))
        missed = missed or bool(failed)
        stopping = [task for task in failed if spec_set.tasks[task].on_failure == "stop"]
        if stopping and stage != list(tasks)[-1]:
            raise DustError(
                f"{', '.join(stopping)} missed a line and on_failure is stop: "
                f"nothing after {stage} ran",
                where=stage,
                fix="take the next run of the task in its spec, or name later stages to run them",
                exit_code=1,
            )
    if missed:
        raise typer.Exit(1)


def _require_fresh(specs: "SpecSet", profile: str) -> None:
    path = pipeline_path(profile)
    if not path.is_file() or Path(path).read_text(encoding="utf-8") != dvc_yaml(specs, profile):
        raise DustError(
            "the pipeline differs from the specs",
            where=str(path),
            fix="write it anew with 'dust pipeline' and commit it with the specs",
        )


def _bring_up_to_date(specs: "SpecSet", tasks: Iterable[str], profile: str) -> None:
    """Run the stale stages of `tasks`, and fetch the results of the rest."""
    # A clone need not have the intermediate files of stages that are done.
    run_dvc(profile, "repro", "--pull", "--allow-missing", *_targets(tasks, profile))
    drafts = [task for task in tasks if _is_of_draft(specs, task, profile)]
    if drafts and not is_draft():
        # For DVC the result of a draft is up to date, because it has the same inputs.
        run_dvc(profile, "repro", "--force", "--single-item", *_targets(drafts, profile))
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
