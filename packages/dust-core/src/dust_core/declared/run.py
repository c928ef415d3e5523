"""The verb `dust run`: execute one task of the specs, whatever package knows how.

Packages offer executors in the entry-point group `dust.tasks`: the name is the task's `does`, the
value a function that takes the resolved task. It writes the task's outputs, among them a result
file with verdicts, and returns: a line that is missed is an outcome of the run, no failure of it.

Under `torchrun` every rank calls the executor; the first one alone holds the lock and sees that the
outputs are there. The others end where the training does.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.cli import plugins
from dust_core.declared.locks import only_run
from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS, result_path
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

TASK_GROUP = "dust.tasks"

Executor = Callable[["ResolvedTask"], None]

_log = logging.getLogger("dust")


def run(
    task: Annotated[str, typer.Argument(help="Id of the task, such as K-1.")],
    profile: ProfileOption = "small",
    specs: SpecsOption = SPECS,
) -> None:
    """Execute one task and print its verdicts."""
    from dust_core.declared.specs import load_specs, resolve

    resolved = resolve(load_specs(specs), task, profile)
    require_executors({resolved.id: resolved.task.does})
    _require_filled(resolved)
    folder = ARTIFACTS / profile
    _require_inputs(resolved, folder)
    _start_ranks(resolved, specs)
    rank = int(os.environ.get("RANK", "0"))
    if rank > 0:
        with _logging_to(folder / "logs" / f"{task}.rank{rank}.log", shown=False):
            _execute(resolved)
        return
    with only_run(ARTIFACTS / ".lock", f"dust run {task} --profile {profile}"):
        with _logging_to(folder / "logs" / f"{task}.log"):
            _execute(resolved)
        _require_outputs(resolved, folder)
    for line in verdict_lines(folder, [task]):
        typer.echo(line)


def require_executors(tasks: Mapping[str, str]) -> None:
    """Check that installed packages execute every task of `tasks`, id -> `does`.

    Raises:
        DustError: some have no executor; the message names all of them.
    """
    known = plugins(TASK_GROUP)
    missing = [f"{does} (task {task})" for task, does in tasks.items() if does not in known]
    if missing:
        raise DustError(
            f"no installed package executes {', '.join(missing)}",
            where="dust.tasks",
            fix="install the packages that do (dust-eval measures, dust-compress trains and "
            f"compresses); installed now: {', '.join(sorted(known)) or 'no executor at all'}",
        )


def verdict_lines(folder: Path, tasks: Iterable[str]) -> Iterator[str]:
    """One line for each verdict that the result files in `folder` hold on `tasks`."""
    from dust_core.declared.records import read_result_folder

    wanted = set(tasks)
    for file in read_result_folder(folder).values():
        for verdict in file.verdicts if file.task in wanted else ():
            value = "no value" if verdict.value is None else f"{verdict.value:.4g} {verdict.unit}"
            line = f"{verdict.task} {verdict.gate}: {verdict.status} ({value}"
            line += f", line {verdict.op} {verdict.line:g} {verdict.unit})"
            yield f"{line}: {verdict.reason}" if verdict.reason else line


def _start_ranks(resolved: "ResolvedTask", specs: Path) -> None:
    """Become `torchrun` with a process for each of the profile's devices, where a task trains."""
    from dust_core.declared.pipeline.stages import trains

    count = resolved.profile.device.count
    if count == 1 or "WORLD_SIZE" in os.environ or not trains(resolved.task):
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, resolved.profile.threads // count)))
    torchrun = (sys.executable, "-m", "torch.distributed.run")
    command = ("-m", "dust_core", "run", resolved.id)
    options = ("--profile", resolved.profile_name, "--specs", str(specs))
    os.execv(
        sys.executable,
        [*torchrun, "--standalone", f"--nproc-per-node={count}", *command, *options],
    )


def _execute(resolved: "ResolvedTask") -> None:
    executor: Executor = plugins(TASK_GROUP)[resolved.task.does].load()
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
            f"lies at {checkpoint.path}, and its SHA-256 goes to teacher.checkpoint.sha256"
        )
    raise DustError(
        f"the profile {resolved.profile_name} awaits {', '.join(awaited)}",
        where=f"specs/profiles/{resolved.profile_name}.yaml",
        fix=fix,
    )


def _require_inputs(resolved: "ResolvedTask", folder: Path) -> None:
    missing = [name for name in resolved.task.inputs if not (folder / name).exists()]
    if missing:
        raise DustError(
            f"{resolved.id} reads {', '.join(missing)}, which is not there yet",
            where=str(folder),
            fix=f"fetch it with 'dvc pull', or run what {resolved.id} needs first: "
            f"{', '.join(resolved.task.needs)}",
        )


def _require_outputs(resolved: "ResolvedTask", folder: Path) -> None:
    expected = {*resolved.task.outputs, result_path(resolved).name}
    missing = sorted(name for name in expected if not (folder / name).exists())
    if missing:
        raise DustError(
            f"{resolved.id} ended without writing {', '.join(missing)}",
            where=str(folder),
            fix=f"the executor of {resolved.task.does} is at fault: report it",
        )


@contextmanager
def _logging_to(path: Path, *, shown: bool = True) -> Iterator[None]:
    """Write what happens, warnings included, to `path` anew; the main steps are shown as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(form)
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.addFilter(lambda record: record.name.startswith("dust"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    handlers = (file, terminal) if shown else (file,)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        logging.captureWarnings(False)
        root.setLevel(level)
