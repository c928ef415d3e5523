"""Scenes read by several processes, in the order of the scenes.

A process, here or on another machine, writes a scene's samples into a file, since they may take
more than memory holds, and goes on with the next scene. At most twice as many scenes as processes
are ahead of the writer.
"""

import os
import shutil
import signal
import tarfile
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from uuid import uuid4

from dust_core.errors import DustError
from dust_core.pairs.importing.adapters import Scene
from dust_core.pairs.importing.tally import Tally
from dust_core.pairs.shards.sample import Members
from dust_core.pairs.shards.tars import append_sample, read_shard

Made = tuple[str, Tally, Iterator[Members]]
MakeSamples = Callable[[Scene, Tally], Iterator[Members]]
_Outcome = tuple[Tally, DustError | None]

_SECONDS_BETWEEN_CHECKS = 5.0


@dataclass(frozen=True)
class Readers:
    """The processes that read scenes.

    Attributes:
        pool: takes a scene.
        count: how many scenes are read at once.
        lost: what the pool raises where a process, or what it answers to, was ended.
        advice: what to do then.
        stop: leaves what was not begun, and waits for the processes of this machine.
        check: called from time to time while a scene is awaited; it raises where none can come.
    """

    pool: Executor
    count: int
    lost: tuple[type[Exception], ...]
    advice: str
    stop: Callable[[], None]
    check: Callable[[], None] = lambda: None


@contextmanager
def processes(jobs: int) -> Iterator[Readers]:
    """So many processes of this machine, which end with the block."""
    # A new interpreter: one that is forked would share the locks of the progress bar's thread.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin_worker)
    advice = "give fewer --jobs if memory was short; the same command goes on"
    stop = partial(pool.shutdown, cancel_futures=True)
    try:
        yield Readers(pool, jobs, (BrokenProcessPool,), advice, stop)
    finally:
        stop()


def in_processes(
    scenes: Iterator[Scene], make: MakeSamples, readers: Readers, folder: Path
) -> Generator[Made, None, None]:
    """Name, tally and samples of each scene, in order; the samples come once, and at once.

    Args:
        make: gives a scene's samples and keeps its tally; a process must be able to import it.
        folder: for files of samples, which the processes see too; it is removed in the end.

    Raises:
        DustError: a process ended, or, by the samples, what `make` raised.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    waiting: deque[tuple[str, Path, Future[_Outcome]]] = deque()
    numbered = enumerate(scenes)
    # A process on another machine may write after this call has ended: never into the next one's.
    call = uuid4().hex[:8]

    def begin_some() -> None:
        while len(waiting) < 2 * readers.count and (following := next(numbered, None)) is not None:
            number, scene = following
            path = folder / f"{call}-{number:06d}.tar"
            waiting.append((scene.name, path, readers.pool.submit(_work, scene, make, path)))

    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        closing.callback(readers.stop)
        begin_some()
        while waiting:
            name, path, future = waiting.popleft()
            try:
                tally, error = _awaited(future, readers)
            except readers.lost as lost:
                raise DustError(
                    "a process that read scenes was ended", where=name, fix=readers.advice
                ) from lost
            begin_some()
            yield name, tally, _taken(path, error)


def _awaited(future: "Future[_Outcome]", readers: Readers) -> _Outcome:
    while True:
        try:
            return future.result(_SECONDS_BETWEEN_CHECKS)
        except TimeoutError:
            if future.done():  # it was the scene that raised it
                raise
            readers.check()


def _work(scene: Scene, make: MakeSamples, path: Path) -> _Outcome:
    """Write a scene's samples into a file; what was raised is handed on with what came before."""
    tally, error = Tally(), None
    # Where a worker is lost to its scheduler but lives, two write the same scene.
    part = path.with_name(f"{path.stem}-{uuid4().hex[:8]}.part")
    try:
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
            try:
                for number, members in enumerate(make(scene, tally)):
                    append_sample(tar, f"{number:07d}", members)
            except DustError as raised:
                error = raised  # a tar that is left by an error has no end
        part.replace(path)
    except OSError as refused:
        error = DustError(
            f"cannot write samples: {refused.strerror or refused}",
            where=str(path),
            fix="free some space",
        )
    return tally, error


def _taken(path: Path, error: DustError | None) -> Iterator[Members]:
    for _, members in read_shard(path):
        yield members
    path.unlink()
    if error is not None:
        raise error


def _begin_worker() -> None:
    """An interrupt is the first process's to handle, which then ends the others.

    Where the first process is killed it ends nobody, and a worker would wait for it for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    first = parent_process()
    if first is not None:
        first.join()
        os._exit(1)
