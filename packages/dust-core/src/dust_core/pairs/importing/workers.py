"""Workers of dask that read scenes: `dust data import --on`.

Data sets are large, so no file is sent: source and target lie where every worker sees them.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dust_core import pairs
from dust_core.errors import DustError
from dust_core.pairs.importing.parallel import Readers
from dust_core.scheduler import connected

if TYPE_CHECKING:
    from distributed import Client

_DECIDING = ("dust-core", "numpy", "opencv-python-headless", "pillow")
"""Packages whose versions can change what a shard holds, beside our sources."""

_SECONDS_WITHOUT_WORKERS = 60.0


@contextmanager
def workers(scheduler: str, source: Path, folder: Path) -> Iterator[Readers]:
    """The workers of a scheduler as readers of scenes; what they have not begun, they leave.

    Args:
        scheduler: as `dust_core.scheduler.connected` takes it.
        source: the data set, absolute.
        folder: of the unfinished shards, absolute; the workers write there.

    Raises:
        DustError: no scheduler or no worker answers; or a worker has other code, or does not see
            the source or the folder.
    """
    from distributed import KilledWorker

    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as own, connected(scheduler, Path(own)) as client:
        count = _able(client, source, folder)
        pool = client.get_executor(pure=False)
        advice = "give the workers more memory if it was short; the same command goes on"
        stop = partial(pool.shutdown, wait=False)
        # The latter two where the scheduler is gone.
        lost = (KilledWorker, CancelledError, OSError)
        yield Readers(pool, count, lost, advice, stop, _watch(client))


def _able(client: "Client", source: Path, folder: Path) -> int:
    """How many scenes the workers read at once, all of which can."""
    try:
        client.wait_for_workers(1, timeout=_SECONDS_WITHOUT_WORKERS)
    except TimeoutError as error:
        raise _no_worker() from error
    probe = folder / f"seen-{uuid4().hex[:8]}"
    probe.touch()
    try:
        answers: dict[str, Any] = client.run(_describe, source, probe, on_error="return")
    finally:
        probe.unlink()
    here = _describe(source, probe)["code"]
    for address, answer in sorted(answers.items()):
        if not isinstance(answer, dict):
            raise _unable(f"{type(answer).__name__}: {answer}", address, "install this version")
        if answer["code"] != here:
            raise _unable("it has other versions", address, "install the versions of this machine")
        for path in (source, folder):
            if str(path) not in answer["sees"]:
                fix = "put both folders on a file system that all workers mount at the same path"
                raise _unable(f"it does not see {path}", address, fix)
    return sum(client.nthreads().values())


def _describe(source: Path, probe: Path) -> dict[str, Any]:
    """What a worker sees, and with which versions it reads."""
    proofs = {str(source): source, str(probe.parent): probe}
    sees = [path for path, proof in proofs.items() if proof.exists()]
    return {"sees": sees, "code": (_sources(), *map(version, _DECIDING))}


def _sources() -> str:
    """A digest of the sources that make shards, as they are installed."""
    root = Path(pairs.__path__[0])
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _unable(why: str, address: str, fix: str) -> DustError:
    return DustError(f"a worker cannot read scenes: {why}", where=address, fix=fix)


def _no_worker() -> DustError:
    return DustError(
        "the scheduler has no worker",
        where="--on",
        fix="start workers, such as 'dask worker ADDRESS --nthreads 1'; the same command goes on",
    )


def _watch(client: "Client") -> Callable[[], None]:
    """A check that raises once no worker was there for a while."""
    last = time.monotonic()

    def check() -> None:
        nonlocal last
        if client.nthreads():
            last = time.monotonic()
        elif time.monotonic() - last > _SECONDS_WITHOUT_WORKERS:
            raise _no_worker()

    return check
