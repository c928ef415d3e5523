"""How every executor begins and ends."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from dust_core.files import sha256_file
from dust_core.records import (
    Execution,
    Result,
    ResultFile,
    environment_fingerprint,
    read_result_folder,
    write_result_file,
)
from dust_core.run import ARTIFACTS, result_file_name
from dust_core.specs import ResolvedTask
from dust_eval.gates import with_verdicts


def begin(task: ResolvedTask) -> Execution:
    """Note when the task began, on what, and what it reads."""
    folder = ARTIFACTS / task.profile_name
    return Execution(
        task=task,
        environment=environment_fingerprint(task.profile.device.kind),
        runtime=None,
        inputs={name: sha256_file(folder / name) for name in task.task.inputs},
        started=dt.datetime.now(dt.UTC),
    )


def write_results(
    task: ResolvedTask, results: Sequence[Result], extra: Mapping[str, Any] | None = None
) -> None:
    """Write the task's result file, with the verdicts on its candidates.

    Args:
        extra: what else the task has to tell, as JSON has it.

    Raises:
        DustError: the file cannot be written, or another result file of the profile is broken.
    """
    folder = ARTIFACTS / task.profile_name
    file = ResultFile(
        apiVersion="dust/v1",
        kind="Result",
        task=task.id,
        results=tuple(results),
        verdicts=(),
        extra=dict(extra or {}),
    )
    path = folder / result_file_name(task.id, task.task)
    others = [other for found, other in read_result_folder(folder).items() if found != path]
    write_result_file(path, with_verdicts(task, file, others))
