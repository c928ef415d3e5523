"""The verb `dust gate`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.records.commands import ArtifactsOption
from dust_core.errors import DustError
from dust_core.files import atomic_write_text

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet
    from dust_eval.gates.render import StageReport

_WIDTH_IN_FILES = 160  # where the output is not a terminal


def gate(
    stage: Annotated[str, typer.Argument(help="P0 to P5.")],
    profile: ProfileOption = "small",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the verdicts there too; '-' prints them alone."),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="LINE",
            help="Say where a figure comes from: KQ-3, quality_kept, KQ-3:quality_kept, all.",
        ),
    ] = None,
    specs: SpecsOption = SPECS,
    artifacts: ArtifactsOption = ARTIFACTS,
) -> None:
    """Judge a stage by its lines; exit 1 unless all pass. With --explain it judges nothing."""
    from dust_core.declared.dvc_files import mend
    from dust_core.declared.specs import load_specs

    mend(artifacts.resolve().parent, profile)
    spec_set = load_specs(specs)
    report = stage_report(spec_set, stage, profile, artifacts)
    if explain is not None:
        if json_file is not None:
            raise DustError(
                "--explain writes text, not JSON",
                fix="leave out one of the two; --json holds every figure of every verdict",
            )
        from dust_eval.gates.explain import explanations_of

        for row in explanations_of(report, explain, spec_set, artifacts):
            typer.echo(row)
        return
    if json_file == Path("-"):
        typer.echo(report_text(report), nl=False)
    else:
        show(report)
        if json_file is not None:
            atomic_write_text(json_file, report_text(report))
    if not report.passed:
        raise typer.Exit(1)


def stage_report(
    specs: "SpecSet", stage: str, profile: str, artifacts: Path = ARTIFACTS
) -> "StageReport":
    """Judge a stage by the results of its tasks' declared runs in `artifacts`.

    Raises:
        DustError: there is no such stage or profile, or a result file is broken.
    """
    from dust_core.declared.records.proof.gather import recorded_outputs
    from dust_core.declared.specs import resolve
    from dust_eval.gates.advice import advice
    from dust_eval.gates.claims import claim_outcomes, claim_texts
    from dust_eval.gates.declared import declared_results, tasks_judged_with, unproven_results
    from dust_eval.gates.render import StageReport
    from dust_eval.gates.stage import judge_stage
    from dust_eval.gates.waivers import waivers_that_apply

    recorded = recorded_outputs(artifacts / profile)
    resolved = {task: resolve(specs, task, profile) for task in specs.tasks}
    tasks = [resolved[task] for task in specs.stage(stage)]
    results = declared_results(tasks[0].result_files, artifacts / profile, tasks_judged_with(tasks))
    judged = judge_stage(tasks, results, unproven_results(resolved, artifacts / profile))
    hypotheses = [
        line
        for verdicts in judged
        if (file := results.get(verdicts.task)) is not None
        for line in claim_texts(
            verdicts.task, claim_outcomes(resolved[verdicts.task], file, verdicts)
        )
    ]
    return StageReport(
        stage=stage,
        profile=profile,
        quotable=specs.profile(profile).quotable,
        tasks=judged,
        waivers=tuple(waivers_that_apply(specs, tasks, profile)),
        hypotheses=tuple(hypotheses),
        advice=tuple(
            advice(
                judged,
                {task.id: task.task.does for task in tasks},
                again=f"dust repro {stage} --profile {profile}",
                executed=[t.id for t in tasks if t.result_files[t.id] in recorded],
            )
        ),
    )


def report_text(report: "StageReport") -> str:
    """The report as the text of a JSON file."""
    from dust_eval.gates.render import report_json

    return json.dumps(report_json(report), indent=2) + "\n"


def show(report: "StageReport") -> None:
    """Print the table of verdicts, and the explanations below it."""
    from dust_core.console import Terminal
    from dust_eval.gates.render import explanations, report_table

    console = Terminal(width=None if sys.stdout.isatty() else _WIDTH_IN_FILES)
    console.print(report_table(report))
    for line in (*explanations(report.tasks), *report.hypotheses, *report.waivers, *report.advice):
        console.print(line, soft_wrap=True)
