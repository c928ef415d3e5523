"""What can be known before a task's work is checked before it, not when hours of it are done."""

import shutil
from contextlib import suppress
from pathlib import Path

from dust_core.declared.pipeline.stages import splits_read, trains
from dust_core.declared.project import ARTIFACTS, result_of
from dust_core.declared.records.proof import recorded_outputs
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.gates import tasks_judged_with

_COPIES_IN_A_STATE = 5
"""The network, two moments of the optimiser, the average and the best weights."""

_COPIES_WHILE_WRITING = 2
"""A file that is replaced is there twice until the new one is whole."""


def require_ready(task: ResolvedTask) -> None:
    """Check the results, the sets and the disk that a task will need.

    Raises:
        DustError: the result of a baseline of its lines is absent or broken, a set is not the one
            that the specs name, or the disk has less room than the task is likely to need.
    """
    for other in sorted(tasks_judged_with([task]) - {task.id}):
        result_of(task, other)
    for name in splits_read(task.task.does):
        split = getattr(task.data, name)
        _require_set(name, Path(split.manifest), split.sha256)
    _require_space(task)


def bytes_needed(task: ResolvedTask) -> int:
    """An estimate of what a task writes, in bytes: twice what it wrote last.

    A task that never ran is taken to write as much as it reads. A training keeps its state as well:
    its largest input, in FP32, five times.
    """
    folder = ARTIFACTS / task.profile_name
    read = [(folder / name).stat().st_size for name in task.task.inputs]
    recorded = {}
    with suppress(DustError):  # a broken lock is reported by those who need it
        recorded = recorded_outputs(folder)
    sizes = [recorded[name].size for name in task.task.outputs if name in recorded]
    written = sum(sizes) if sizes else sum(read)
    # Networks are stored in 16 bits.
    state = _COPIES_IN_A_STATE * 2 * max(read, default=0) if trains(task.task) else 0
    return _COPIES_WHILE_WRITING * (written + state)


def _require_set(name: str, manifest: Path, sha256: str | None) -> None:
    if sha256 is None or not manifest.is_file() or sha256_file(manifest) == sha256:
        return  # a set that is absent is named by who reads it: not every task reads all of them
    raise DustError(
        f"this is not the {name} set that the specs name",
        where=str(manifest),
        fix=f"pull it again: `dvc pull {manifest.parent}`",
    )


def _require_space(task: ResolvedTask) -> None:
    folder = ARTIFACTS / task.profile_name
    needed, free = bytes_needed(task), shutil.disk_usage(folder).free
    if free < needed:
        raise DustError(
            f"{task.id} writes about {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free",
            where=str(folder),
            fix="free some space; nothing was done yet",
        )
