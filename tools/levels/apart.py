"""Orders of pairs from many levels, and the work on each level in a separate process.

A process returns all of its memory. What is finished is kept, so that an interrupted order resumes.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from levels.splits import Split

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class PoseOrder:
    """Which pairs of views to sample.

    Attributes:
        levels: the levels to draw from, in equal shares.
        pairs: how many pairs in all.
    """

    levels: tuple[str, ...]
    split: Split
    pairs: int
    seed: int
    least_overlap: float = 0.2
    most_overlap: float = 0.95

    def share(self, level: str) -> int:
        """How many pairs `level` contributes."""
        each, rest = divmod(self.pairs, len(self.levels))
        return each + (self.levels.index(level) < rest)


def work_apart(
    order: PoseOrder,
    work: Callable[[str], None],
    is_done: Callable[[str], bool],
    *,
    jobs: int,
    say: Progress,
) -> None:
    """Call `work` with each level of `order` that is not done, each in a separate process.

    Args:
        work: must be picklable.
        jobs: how many levels are worked on at once.
        say: called with a line for each finished level.

    Raises:
        DustError: `work` failed on a level.
    """
    waiting = [level for level in order.levels if order.share(level) and not is_done(level)]
    done = len(order.levels) - len(waiting)
    started, drawn = time.monotonic(), 0
    with ThreadPoolExecutor(jobs) as watchers:
        running = {watchers.submit(_apart, work, level): level for level in waiting}
        try:
            for finished in as_completed(running):
                finished.result()
                level = running[finished]
                done, drawn = done + 1, drawn + order.share(level)
                rate = drawn / (time.monotonic() - started)
                say(f"{done}/{len(order.levels)} {level}: {order.share(level)}, {rate:.1f} pairs/s")
        except BaseException:
            watchers.shutdown(wait=False, cancel_futures=True)
            raise


def claim(folder: Path, order: PoseOrder) -> None:
    """Write the order into `folder`, or check that the folder has this order.

    Raises:
        DustError: the folder has another order.
    """
    file, wanted = folder / "order.json", json.dumps(asdict(order), indent=1)
    if file.is_file() and file.read_text(encoding="utf-8") != wanted:
        raise DustError(
            "the folder holds unfinished parts of another order",
            where=str(file),
            fix="repeat the command that was interrupted, or delete the folder",
        )
    atomic_write_text(file, wanted)


def _apart(work: Callable[[str], None], level: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(work, level).result()
