"""The verb `dust run`: execute a task with the executor of an installed package.

Under `torchrun` every rank calls the executor. Only the first rank holds the lock and checks that
the outputs are there. The other ranks end with the training.
"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.draft import is_draft, mark_draft
from dust_core.declared.dvc_files import keep_lock
from dust_core.declared.executors import load_executor, require_executors
from dust_core.declared.locks import only_run
from dust_core.declared.logs import logging_to
from dust_core.declared.options import DraftOption, ProfileOption, SpecsOption
from dust_core.declared.project import (
    LOCK,
    SPECS,
    log_path,
    profile_path,
    require_inputs,
    require_outputs,
    result_path,
)
from dust_core.errors import DustError
from dust_core.files import sweep_parts

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

_log = logging.getLogger("dust")


def run(
    task: Annotated[str, typer.Argument(help="Id of the task, such as K-1.")],
    profile: ProfileOption = "small",
    specs: SpecsOption = SPECS,
    draft: DraftOption = False,
) -> None:
    """Execute one task and print its verdicts.

    Under a quotable profile its spec must be on the protected branch, which is its approval.
    """
    from dust_core.declared.specs import load_specs, resolve

    mark_draft(draft=draft)
    resolved = resolve(load_specs(specs), task, profile)
    require_executors({resolved.id: resolved.task.does})
    _require_filled(resolved)
    if resolved.profile.quotable and not is_draft():
        from dust_core.declared.change.approval import require_approved

        require_approved(resolved, specs)
    require_inputs(resolved)
    _start_ranks(resolved, specs)
    # torch reads it when it is loaded, and would take a thread for each core of any machine.
    os.environ.setdefault("OMP_NUM_THREADS", str(resolved.profile.threads))
    rank = int(os.environ.get("RANK", "0"))
    if rank > 0:
        with logging_to(log_path(resolved, rank), shown=False):
            _execute(resolved)
        return
    keep_lock(Path(), profile)  # DVC starts a stage after it has written the one before
    with only_run(LOCK, f"dust run {task} --profile {profile}"):
        sweep_parts(log_path(resolved).parents[1])
        with logging_to(log_path(resolved)):
            _execute(resolved)
        require_outputs(resolved)
    _print_verdicts(resolved)


def _start_ranks(resolved: "ResolvedTask", specs: Path) -> None:
    """Replace the process by one that starts a rank for each of the profile's devices, to train."""
    from dust_core.declared.pipeline.stages import trains

    count = resolved.profile.device.count
    if count == 1 or "WORLD_SIZE" in os.environ or not trains(resolved.task):
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, resolved.profile.threads // count)))
    # By name: what trains has its executor in dust-compress, which this package does not import.
    ranks = (sys.executable, "-m", "dust_compress.train.ranks", str(count))
    options = ("--profile", resolved.profile_name, "--specs", str(specs))
    os.execv(sys.executable, [*ranks, "dust_core", "run", resolved.id, *options])


def _execute(resolved: "ResolvedTask") -> None:
    executor = load_executor(resolved.task.does)
    _log.info(
        "%s: %s starts with profile %s", resolved.id, resolved.task.does, resolved.profile_name
    )
    started = time.monotonic()
    try:
        executor(resolved)
    except SystemExit as end:
        _log.info("%s: this rank ends with the training, code %s", resolved.id, end.code)
        raise
    except BaseException as error:
        _log.error("%s ended after %.0f s: %r", resolved.id, time.monotonic() - started, error)
        raise
    _log.info("%s is done after %.0f s", resolved.id, time.monotonic() - started)


def _require_filled(resolved: "ResolvedTask") -> None:
    awaited = [".".join(place) for place in resolved.profile.open_values()]
    if not awaited:
        return
    fix = f"supply {resolved.profile.fill_in or 'the values that are null'}"
    checkpoint = resolved.profile.teacher.checkpoint
    if checkpoint is not None and checkpoint.sha256 is None:
        fix += (
            f"; {checkpoint.name} ({checkpoint.licence}) comes from {checkpoint.source}, "
            f"belongs at {checkpoint.path}, and its SHA-256 goes to teacher.checkpoint.sha256"
        )
    raise DustError(
        f"the profile {resolved.profile_name} lacks {', '.join(awaited)}",
        where=str(profile_path(resolved.profile_name)),
        fix=fix,
    )


def _print_verdicts(resolved: "ResolvedTask") -> None:
    """Print a line for each verdict in the task's own result, if there is one."""
    from dust_core.declared.records import read_result_folder

    path = result_path(resolved)
    file = read_result_folder(path.parent).get(path)
    for verdict in file.verdicts if file else ():
        value = "no value" if verdict.value is None else f"{verdict.value:.4g} {verdict.unit}"
        line = f"{verdict.task} {verdict.gate}: {verdict.status} ({value}"
        line += f", line {verdict.op} {verdict.line:g} {verdict.unit})"
        typer.echo(f"{line}: {verdict.reason}" if verdict.reason else line)
