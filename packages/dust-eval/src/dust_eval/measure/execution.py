"""How every executor begins and ends."""

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dust_core.declared.project import ARTIFACTS, result_of, result_path
from dust_core.declared.records import (
    BaselineRef,
    Execution,
    Result,
    ResultFile,
    build_result,
    environment_fingerprint,
    record_parameters,
    write_result_file,
)
from dust_core.declared.records.environment import named_few
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.names import parse_exp_id
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.gates import declared_results, tasks_judged_with, with_verdicts
from dust_eval.measure.evaluate import Evaluation
from dust_eval.measure.ready import require_ready

_log = logging.getLogger("dust")


def begin(task: ResolvedTask) -> Execution:
    """Record the start of the task, its device and its inputs.

    Warns of files that are not committed where they keep the result from deciding.

    Raises:
        DustError: something that the task needs later is not there: see `require_ready`.
    """
    require_ready(task)
    folder = ARTIFACTS / task.profile_name
    environment = environment_fingerprint(task.profile.device.kind)
    if environment.dirty and task.profile.quotable and not environment.draft:
        _log.warning(
            "warning: the result of %s will decide nothing, because files are not committed: %s; "
            "commit, remove or ignore them, and run it again",
            task.id,
            named_few(environment.changed),
        )
    return Execution(
        task=task,
        environment=environment,
        runtime=None,
        inputs={name: sha256_file(folder / name) for name in task.task.inputs},
        started=dt.datetime.now(dt.UTC),
    )


def baseline_beside(
    execution: Execution, task_id: str, evaluation: Evaluation, sha256: str, file: str
) -> tuple[Result, dict[str, BaselineRef]]:
    """The baseline of a line as it was measured in this process, and the reference to it.

    Args:
        task_id: the baseline's task; its own result file says which experiment it is.
        evaluation: its measurement here.
        sha256, file: the artifact measured.

    Raises:
        DustError: that task has no result yet.
    """
    exp_id = result_of(execution.task, task_id).candidates[0].exp_id
    if exp_id is None:
        raise DustError(
            f"{task_id}, which {execution.task.id} is compared with, measured no network",
            where=str(result_path(execution.task, task_id)),
            fix="compare it with a task that has its own experiment",
        )
    latency = evaluation.measured.latency
    if latency is not None:
        # Other networks are compared with it, so it has no baseline itself.
        latency = latency.model_copy(update={"baseline": None, "baseline_ms": None})
    result = build_result(
        execution,
        record_parameters(parse_exp_id(exp_id)),
        replace(evaluation.measured, latency=latency),
        artifacts={file: sha256},
        role="baseline",
        runtime=evaluation.runtime,
    )
    return result, {task_id: BaselineRef(exp_id=exp_id, sha256=sha256)}


def write_results(
    task: ResolvedTask,
    results: Sequence[Result],
    extra: Mapping[str, Any] | None = None,
    *,
    judged: bool = True,
) -> None:
    """Write the task's result file, with the verdicts on its candidates.

    Args:
        extra: further values of the task, as JSON values.
        judged: whether its lines bind it; False where the task was not needed.

    Raises:
        DustError: the file cannot be written, or the result file of a baseline is broken.
    """
    file = ResultFile(
        apiVersion="dust/v1",
        kind="Result",
        task=task.id,
        results=tuple(results),
        verdicts=(),
        extra=dict(extra or {}),
    )
    if judged:
        wanted = tasks_judged_with([task]) - {task.id}
        folder = ARTIFACTS / task.profile_name
        file = with_verdicts(task, file, declared_results(task.result_files, folder, wanted))
    write_result_file(result_path(task), file)
