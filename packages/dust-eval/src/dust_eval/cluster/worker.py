"""What runs on a worker: one stage of DVC in a clone, until it ends or is cancelled."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distributed import WorkerPlugin, get_worker

from dust_core.errors import DustError
from dust_core.stopping import STARTER
from dust_eval.cluster.clone import free_clone
from dust_eval.cluster.order import Member, Order, Outcome, Source
from dust_eval.gates.dvc_command import THEN

if TYPE_CHECKING:
    from distributed import Worker

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_END = 60.0
_LINES_KEPT = 40
_WANTED = ("waiting", "ready", "constrained", "executing", "long-running", "resumed")
"""States of dask of a task that somebody still waits for."""

_ENDING = ("stopping", "stopped", "closing", "closed", "failed")
"""States of dask of a worker that takes no part any more."""


class Cancelled(Exception):
    """Nobody waits for the stage any more."""


async def describe(
    source: Source, device: Literal["cpu", "cuda"], dask_worker: "Worker"
) -> Member | DustError:
    """A worker that can have the commit and the remote; otherwise the error.

    An error is returned, since dask prints those that are raised.
    """
    try:
        return await asyncio.to_thread(_described, source, device, dask_worker)
    except DustError as error:
        return error


def _described(source: Source, device: Literal["cpu", "cuda"], worker: "Worker") -> Member:
    with free_clone(source, _folder(worker)):
        return member(str(worker.name), device)


def member(name: str, device: Literal["cpu", "cuda"]) -> Member:
    """What this process would measure on, and with which sources.

    Raises:
        DustError: there is no such device.
    """
    from dust_core.declared.records import environment

    described = environment.described_device(device)
    return Member(
        name=name,
        device=described.fingerprint,
        device_name=described.name,
        code=code_here(),
        versions=environment.installed_versions(environment.RECORDED_PACKAGES),
    )


def code_here() -> tuple[str | None, str | None]:
    """The digests of the sources that are installed here: those that measure and that train."""
    from dust_core.declared.records.sources import measuring_code, training_code

    return measuring_code(), training_code()


class TakesStages(WorkerPlugin):
    """Marks the workers that may take stages with a resource of dask, also those that join later.

    Args:
        resource: the name of the resource; a stage needs one of it.
        like: a worker that may take stages; others must have its device, sources and versions.
    """

    def __init__(self, resource: str, source: Source, device: Literal["cpu", "cuda"], like: Member):
        self.name = resource
        self.source = source
        self.device = device
        self.like = like

    async def setup(self, worker: "Worker") -> None:
        """Mark a worker, if it is like the others."""
        found = await describe(self.source, self.device, worker)
        alike = isinstance(found, Member) and not unlike(found, self.like)
        await worker.set_resources(**{self.name: worker.state.nthreads if alike else 0})

    async def teardown(self, worker: "Worker") -> None:
        """Take the mark away."""
        if worker.status.name not in _ENDING:
            await worker.set_resources(**{self.name: 0})


def unlike(candidate: Member, like: Member) -> str:
    """In what a worker differs from another one; empty where their figures can be compared."""
    if candidate.device != like.device:
        return f"its device is {candidate.device_name} {candidate.device[:12]}"
    if candidate.code != like.code:
        return "its DUST is another version"
    names = sorted(candidate.versions.keys() | like.versions.keys())
    other = [name for name in names if candidate.versions.get(name) != like.versions.get(name)]
    return f"it has other versions of {', '.join(other)}" if other else ""


def run_stage(order: Order) -> Outcome | DustError:
    """Fetch what a stage reads, run it by DVC, and send what it wrote to DVC's remote.

    A stage that the run cache has is taken from there. An error is returned, as by `describe`.

    Raises:
        Cancelled: nobody waits for the stage any more.
    """
    worker = get_worker()
    key = worker.get_current_task()
    started = time.monotonic()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state in _WANTED and worker.status.name not in _ENDING

    report = {"stage": order.stage, "name": str(worker.name)}
    try:
        with (
            free_clone(order.source, _folder(worker)) as (project, clone),
            _device(order, is_wanted) as device,
        ):
            worker.log_event(order.run, report | {"what": "starts"})
            try:
                code, output = _by_dvc(order, project, (clone, device), is_wanted)
            finally:
                worker.log_event(order.run, report | {"what": "ends"})
            entry = {} if code else _entry(project / order.lock, order.stage)
    except DustError as error:
        return error
    ran = f"Running stage '{order.target}'" in output
    last = "\n".join(output.splitlines()[-_LINES_KEPT:])
    return Outcome(str(worker.name), code, time.monotonic() - started, ran, entry, last)


def _folder(worker: "Worker") -> Path:
    """The folder of this machine's clones, beside those that dask's workers have for a while."""
    return Path(worker.local_directory).parent / "dust"


@contextmanager
def _device(order: Order, is_wanted: Callable[[], bool]) -> Iterator[int]:
    """Hold the device, with others or alone; yields the file handle that holds it.

    The system lets it go when the processes that have the handle are gone.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    which = f"cuda{visible}" if order.device == "cuda" else "cpu"
    path = Path(tempfile.gettempdir(), f"dust-{os.getuid()}-{which}.lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    kind = fcntl.LOCK_EX if order.alone else fcntl.LOCK_SH
    try:
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_wanted():
                    raise Cancelled(order.stage) from None
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        yield handle
    finally:
        os.close(handle)


def _by_dvc(
    order: Order, project: Path, held: tuple[int, ...], is_wanted: Callable[[], bool]
) -> tuple[int, str]:
    """Run DVC until a command of it fails; its exit code, and what it and the stage printed.

    DVC inherits the handles `held`: where the worker is killed, they are held until DVC is gone.
    """
    (project / order.lock).unlink(missing_ok=True)
    if order.lock_text:
        (project / order.lock).write_text(order.lock_text, encoding="utf-8")
    # What an earlier stage left in the clone may be another version.
    how = ("--quiet", "--force", "--allow-missing", "--with-deps")
    fetch = ("pull", *how, *order.before, THEN) if order.before else ()
    run = ("repro", "--single-item", "--force" if order.force else "--pull", order.target)
    commands = (*fetch, *run, THEN, "push", "--run-cache", order.target)
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "dust_eval.gates.dvc_command", *commands],
            cwd=project,
            env=_environment(order),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            process_group=0,
            pass_fds=held,
        )
        try:
            while process.poll() is None:
                if not is_wanted():
                    raise Cancelled(order.stage)
                _wait(process, _SECONDS_BETWEEN_LOOKS)
        finally:
            _end(process)
        said.seek(0)
        return process.returncode, said.read()


def _environment(order: Order) -> dict[str, str]:
    """The variables of a stage: without the limits on threads that dask gives its workers."""
    import dask.config

    set_by_dask: dict[str, Any] = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in set_by_dask or value != str(set_by_dask[name])
    }
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", "")))
    draft = {"DUST_DRAFT": "1"} if order.draft else {}
    return {**kept, **draft, "PATH": path, STARTER: str(os.getpid())}


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt DVC and its stage, which saves what it can, if they still run."""
    for number, seconds in ((signal.SIGINT, _SECONDS_TO_END), (signal.SIGKILL, _SECONDS_TO_END)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        _wait(process, seconds)


def _entry(lock: Path, stage: str) -> dict[str, Any]:
    from dvc.utils.serialize import load_yaml

    entry: dict[str, Any] = load_yaml(str(lock))["stages"][stage]
    return entry
