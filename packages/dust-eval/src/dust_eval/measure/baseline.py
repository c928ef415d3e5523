"""The executors `freeze-workload` (P0-1), `evaluate-teacher` (P0-2), `judge-teacher` (P0-3)."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from dust_core.declared.project import ARTIFACTS, result_of, result_path
from dust_core.declared.records import (
    MEASURED_FIELDS,
    Measurement,
    build_result,
    percentile,
    task_parameters,
)
from dust_core.declared.records.provenance import Role
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.files import atomic_write_text, sha256_file
from dust_core.tracked import PULL
from dust_eval.gates.bootstrap import p50_reduction_interval, resampling
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import begin, write_results
from dust_eval.measure.floats import floats_of
from dust_eval.measure.samples import workload_samples


def freeze_workload(task: ResolvedTask) -> None:
    """Check the four sets, and write the protocol and the data of the measurements.

    Raises:
        DustError: a set is absent, damaged, or not the one that the specs name.
    """
    execution = begin(task)
    for name, split in task.data:
        manifest = Path(split.manifest)
        if not manifest.is_file():
            raise DustError(
                f"the {name} set is not here", where=str(manifest), fix=f"pull it: `{PULL}`"
            )
        if sha256_file(manifest) != split.sha256:
            raise DustError(
                f"this is not the {name} set that the specs name",
                where=str(manifest),
                fix=f"pull it again: `dvc pull {manifest.parent}`",
            )
    declared, graph = task.data.workload.pairs, task.workload.pair_graph
    if declared != graph.pairs:
        raise DustError(
            f"the profile's workload has {declared} pairs, the {graph.kind} graph {graph.pairs}",
            where=str(Path(task.data.workload.manifest)),
            fix="name a set with the pairs of the declared graph",
        )
    there = sum(1 for _ in workload_samples(task))
    folder = ARTIFACTS / task.profile_name
    path = folder / task.task.outputs[0]
    atomic_write_text(path, _workload_text(task))
    measured = Measurement(quantities={"missing_pairs": task.profile.workload_pairs - there})
    artifacts = {path.name: sha256_file(path)}
    result = build_result(execution, None, measured, artifacts=artifacts)
    write_results(task, (result,))


def evaluate_teacher(task: ResolvedTask) -> None:
    """Measure the teacher in FP32, in FP32 again, and in the profile's 16-bit precision.

    The second measurement shows how reliable the first is. `extra.again` holds the ratio of the
    median latencies, with its interval, and whether quality is the same to the last digit.

    Raises:
        DustError: see `evaluate`.
    """
    execution = begin(task)
    path = ARTIFACTS / task.profile_name / task.task.inputs[0]
    pinned = task.workload.timing.baseline_precision
    reduced = floats_of(task).reduced
    evaluations = evaluate(
        task,
        {
            "the teacher": Subject(path=path, computed=pinned, scene=True),
            "the teacher again": Subject(path=path, computed=pinned),
            f"the teacher in {reduced}": Subject(
                path=path, computed=reduced, notes=f"the same weights in {reduced}"
            ),
        },
    )
    first, again = evaluations["the teacher"], evaluations.pop("the teacher again")
    roles: tuple[Role, ...] = ("candidate", "reference")
    results = tuple(
        build_result(
            execution,
            task_parameters(task),
            _with_missing_fields(evaluation.measured),
            artifacts=dict(execution.inputs),
            role=role,
            runtime=evaluation.runtime,
        )
        for role, evaluation in zip(roles, evaluations.values(), strict=True)
    )
    write_results(task, results, {"again": agreement(task, first.measured, again.measured)})


def judge_teacher(task: ResolvedTask) -> None:
    """State the teacher's own primary metric, as its evaluation measured it on the workload.

    Every other line of quality is relative to the teacher, so none of them shows a poor teacher.

    Raises:
        DustError: the teacher was not evaluated, or the evaluation has no record of it.
    """
    execution = begin(task)
    (evaluation,) = task.task.needs
    (measured,) = result_of(task, evaluation).candidates
    primary = task.workload.quality.primary
    value = getattr(measured.record, primary, None)
    if value is None:
        raise DustError(
            f"{evaluation} has no {primary} of the teacher",
            where=str(result_path(task, evaluation)),
            fix=f"run {evaluation} again",
        )
    result = build_result(
        execution,
        None,
        Measurement(quantities={primary: value}),
        artifacts=dict(execution.inputs),
    )
    write_results(task, (result,), {"teacher": measured.exp_id})


def agreement(task: ResolvedTask, first: Measurement, again: Measurement) -> dict[str, Any]:
    """How two measurements of one network in one process agree.

    Returns:
        `t_pair_p50_ratio`, the second median latency over the first, its interval `low` to `high`,
        and `same_quality`, whether both have the same quality to the last digit.
    """
    assert first.latency is not None and again.latency is not None
    first_ms, again_ms = first.latency.candidate_ms, again.latency.candidate_ms
    reduction = p50_reduction_interval(again_ms, first_ms, resampling(task.workload))
    assert reduction is not None  # no latency is 0
    return {
        "t_pair_p50_ratio": percentile(again_ms, 50) / percentile(first_ms, 50),
        "low": 1 - reduction.high / 100,
        "high": 1 - reduction.low / 100,
        "same_quality": bool(first.per_pair) and first.per_pair == again.per_pair,
    }


def _with_missing_fields(measured: Measurement) -> Measurement:
    """The measurement with its number of null fields, which P0-2's line binds.

    GPU hours do not count: an evaluation spends none worth counting.
    """
    wanted = set(MEASURED_FIELDS) - {"gpu_hours"}
    missing = len(wanted & set(measured.reasons))
    return replace(measured, quantities={**measured.quantities, "missing_fields": missing})


def _workload_text(task: ResolvedTask) -> str:
    """The workload's file with the data of the profile."""
    from ruamel.yaml import YAML

    spec = task.workload.model_dump(mode="json") | {"data": task.data.model_dump(mode="json")}
    title = f"What the profile {task.profile_name} is measured on, and how"
    yaml, text = YAML(), io.StringIO()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(
        {
            "apiVersion": "dust/v1",
            "kind": "Workload",
            "metadata": {"name": "workload", "title": title},
            "spec": spec,
        },
        text,
    )
    return text.getvalue()
