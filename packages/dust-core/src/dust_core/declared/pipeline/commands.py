"""The verbs `dust pipeline`, `dust repro` and `dust device`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.executors import require_executors
from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.pipeline.reproduce import judge, run_dvc
from dust_core.declared.pipeline.stages import dvc_yaml
from dust_core.declared.project import (
    ARTIFACTS,
    DEVICE_FILE,
    EMBEDDED_PROFILE,
    SPECS,
    pipeline_path,
)
from dust_core.errors import DustError
from dust_core.files import atomic_write_text

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


def pipeline(
    check: Annotated[bool, typer.Option("--check", help="Compare, and write nothing.")] = False,
    specs: SpecsOption = SPECS,
) -> None:
    """Write dvc.yaml, and pipelines/PROFILE/dvc.yaml, from the specs."""
    from dust_core.declared.specs import load_specs

    found = load_specs(specs)
    stale = []
    for profile in found.profiles:
        path, text = pipeline_path(profile), dvc_yaml(found, profile)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            atomic_write_text(path, text)
    if stale and check:
        raise DustError(
            f"not what the specs say: {', '.join(stale)}",
            fix="write them anew with 'dust pipeline' and commit them with the specs",
            exit_code=1,
        )
    typer.echo(f"written: {', '.join(stale)}" if stale else "the pipelines are what the specs say")


def repro(
    stages: Annotated[
        list[str] | None, typer.Argument(help="P0 to P5; all of them by default.")
    ] = None,
    profile: ProfileOption = EMBEDDED_PROFILE,
    specs: SpecsOption = SPECS,
) -> None:
    """Reproduce stages through DVC and judge them.

    A stage whose inputs have not changed is taken from the cache. The first stage with a task that
    misses a line and says stop ends it; the exit code is 1 unless all tasks pass. Lines bind
    nothing where figures are not to be quoted: there it is enough that every task has run.
    """
    from dust_core.declared.specs import load_specs
    from dust_core.declared.specs.names import STAGES

    found = load_specs(specs)
    binding = found.profile(profile).quotable
    tasks = {stage: found.stage(stage) for stage in stages or STAGES.values()}
    require_executors(
        {name: task.does for members in tasks.values() for name, task in members.items()}
    )
    _require_fresh(found, profile)
    missed = False
    for stage, members in tasks.items():
        # A clone need not hold what stages that are done have read and written on the way.
        run_dvc(
            *("repro", "--pull", "--allow-missing"),
            *(f"{pipeline_path(profile)}:{task}" for task in members),
        )
        # Of a stage that is done elsewhere `repro` brings nothing, and its results are judged here.
        absent = [
            task
            for task, member in members.items()
            if not (ARTIFACTS / profile / member.result_file(task)).is_file()
        ]
        if absent:
            run_dvc("pull", "--allow-missing", *(f"{pipeline_path(profile)}:{t}" for t in absent))
        failed = [task for task in judge(stage, profile) if binding]
        missed = missed or bool(failed)
        stopping = [task for task in failed if found.tasks[task].on_failure == "stop"]
        if stopping and stage != list(tasks)[-1]:
            raise DustError(
                f"{', '.join(stopping)} missed a line and says stop: nothing after {stage} ran",
                where=stage,
                fix="take the next run of the task in its spec, or name later stages to run them",
                exit_code=1,
            )
    if missed:
        raise typer.Exit(1)


def device(profile: ProfileOption = EMBEDDED_PROFILE, specs: SpecsOption = SPECS) -> None:
    """Write what tells this device from others.

    Stages that bind latency depend on the file, so that they are stale on another device.
    """
    from dust_core.declared.records import environment_fingerprint
    from dust_core.declared.specs import load_specs

    kind = load_specs(specs).profile(profile).device.kind
    found = environment_fingerprint(kind).device
    atomic_write_text(ARTIFACTS / profile / DEVICE_FILE, found.model_dump_json(indent=2) + "\n")
    typer.echo(f"{found.kind}: {found.name}")


def _require_fresh(specs: "SpecSet", profile: str) -> None:
    path = pipeline_path(profile)
    if not path.is_file() or Path(path).read_text(encoding="utf-8") != dvc_yaml(specs, profile):
        raise DustError(
            "the pipeline is not what the specs say",
            where=str(path),
            fix="write it anew with 'dust pipeline' and commit it with the specs",
        )
