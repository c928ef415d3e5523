"""Result files of executed tasks with figures made up, so that only their identity matters."""

import datetime as dt
from pathlib import Path

from dust_core.declared.records import (
    Latency,
    MeasuredDevice,
    Provenance,
    Record,
    Result,
    ResultFile,
    Runtime,
    mean,
    percentile,
    record_parameters,
    result_file_text,
)
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.names import parse_exp_id

MOMENT = dt.datetime(2026, 11, 23, 8, 15, tzinfo=dt.UTC)
PER_PAIR = {
    name: (value,) * 20
    for name, value in {"chamfer": 0.08, "absrel": 0.06, "rmse": 0.31, "delta1": 0.95}.items()
}
SAMPLES_MS = (20.0, 21.0, 20.5, 22.0)


def write_result(task_id: str) -> None:
    """Write the result of a task as the specs of the current folder have it."""
    task = resolve(load_specs(Path("specs")), task_id, "small")
    path = Path("artifacts", "small", task.task.result_file(task_id))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(result_file_text(result_of(task)))


def result_of(task: ResolvedTask) -> ResultFile:
    """A result with a record, where the task runs an experiment, and without one elsewhere."""
    record = None
    if task.exp_id is not None:
        record = Record(
            **record_parameters(parse_exp_id(task.exp_id)),
            params_M=1.1,
            flops_G=6.2,
            size_MB=4.0,
            vram_GB=0.4,
            **{name: mean(values) for name, values in PER_PAIR.items()},
            t_pair_p50_ms=percentile(SAMPLES_MS, 50),
            t_pair_p95_ms=percentile(SAMPLES_MS, 95),
            t_scene_s=3.5,
            pairs_per_sec=48.0,
            gpu_hours=None,
            notes="figures made up for a test",
            seed=42,
            datetime=_finished(task),
        )
    measured = record is not None
    provenance = Provenance(
        task=task.id,
        profile=task.profile_name,
        role="candidate",
        spec_digest=task.digest,
        profile_digest=task.profile_digest,
        workload_sha256=task.workload_digest,
        inputs={},
        artifacts={},
        commit="6" * 40,
        dirty=False,
        device=MeasuredDevice(kind="cpu", name="Example CPU", fingerprint="c" * 64),
        runtime=Runtime(
            name="openvino",
            versions={"openvino": "2026.4.1"},
            precision="fp32",
            threads=2,
            tf32=None,
        ),
        versions={"python": "3.11.7"},
        baselines={},
        per_pair=PER_PAIR if measured else {},
        latency=Latency(candidate_ms=SAMPLES_MS, baseline=None, baseline_ms=None)
        if measured
        else None,
        quantities={},
        started=MOMENT - dt.timedelta(minutes=20),
        finished=_finished(task),
        reasons={"gpu_hours": "no GPU was used"} if measured else {},
    )
    return ResultFile(
        apiVersion="dust/v1",
        kind="Result",
        task=task.id,
        results=(Result(record=record, provenance=provenance),),
        verdicts=(),
        extra={},
    )


def _finished(task: ResolvedTask) -> dt.datetime:
    """A later run ends later."""
    return MOMENT + dt.timedelta(minutes=task.task.run - 1)
