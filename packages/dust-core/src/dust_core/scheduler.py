"""The connection to a dask scheduler: one of this machine's own, or one that is there already."""

import logging
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.records.environment import usable_cores
from dust_core.errors import DustError, first_line

if TYPE_CHECKING:
    from distributed import Client

LOCAL = Path(".dvc", "tmp", "dust", "workers")
"""Where the workers of this machine have their clones, in the project."""

_SECONDS_TO_CONNECT = 15
_SECONDS_TO_CLOSE = 30
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")
_HERE = re.compile(r"local(?::([1-9]\d{0,3}))?")


def is_local(scheduler: str) -> bool:
    """Whether the workers are to be started on this machine.

    Raises:
        DustError: the word is neither `local`, with or without a number, nor an address.
    """
    if _HERE.fullmatch(scheduler):
        return True
    if _ADDRESS.fullmatch(scheduler):
        return False
    raise DustError(
        f"'{scheduler}' is no scheduler",
        where="--on",
        fix="local, local:3 for three workers, or the address of a scheduler of dask, such as "
        "tcp://head:8786",
    )


@contextmanager
def connected(scheduler: str, folder: Path = LOCAL) -> Iterator["Client"]:
    """A client of the scheduler; workers that were started for it end with the block.

    Args:
        scheduler: `local` (a worker for each core), `local:3` (three workers), or an address.
        folder: for files of workers that are started.

    Raises:
        DustError: dask.distributed is not installed, or no scheduler answers.
    """
    is_here = is_local(scheduler)
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise DustError(
            "dask.distributed is not installed, and --on gives work to its workers",
            where="--on",
            fix="install the locked versions: pip install -r requirements.lock; or "
            "pip install 'dust-core[cluster]'",
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # our lines say what happens
    if is_here:
        count = (
            int(match[1]) if (match := _HERE.fullmatch(scheduler)) and match[1] else usable_cores()
        )
        with (
            _started(count, folder) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = distributed.Client(scheduler, timeout=_SECONDS_TO_CONNECT)
    except (OSError, ValueError) as error:
        raise DustError(
            f"no scheduler of dask answers: {first_line(error)}",
            where=scheduler,
            fix="start one with 'dask scheduler', and check the address and the firewall",
        ) from error
    with client:
        yield client


@contextmanager
def _started(count: int, folder: Path) -> Iterator["distributed.LocalCluster"]:  # type: ignore[name-defined]  # noqa: F821
    import dask.config
    import distributed

    # Without dask's limits on threads: the profile says how many a stage has.
    settings: dict[str, dict[str, str]] = {"distributed.nanny.pre-spawn-environ": {}}
    # Workers inherit the mask. A terminal sends Ctrl-C to them as well, and the starter handles it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with dask.config.set(settings):
            cluster = distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                memory_limit=0,  # what is allowed to a stage or a scene is for the system to say
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
                local_directory=str(folder),
            )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield cluster
    finally:
        cluster.close(timeout=_SECONDS_TO_CLOSE)
