"""How an executor writes results: from measured values to complete records with provenance."""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dust_core.declared.records.aggregate import mean, percentile
from dust_core.declared.records.environment import Environment
from dust_core.declared.records.parameters import Parameters
from dust_core.declared.records.provenance import BaselineRef, Latency, Provenance, Role, Runtime
from dust_core.declared.records.record import QUALITY_METRICS, Record
from dust_core.declared.records.result import Result

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask
    from dust_core.declared.specs.models.workload import WorkloadSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """The measured values of one network; None means not measured, and `reasons` says why.

    Attributes:
        params_M, flops_G, size_MB, vram_GB, t_scene_s, pairs_per_sec, gpu_hours: as in `Record`.
        per_pair: quality metric -> its value for every pair, in the workload's order; the record's
            metrics are their means.
        latency: samples in ms; the record's percentiles are theirs.
        quantities: absolute quantities that lines bind, such as `nan_count`.
        notes: one line for the reader.
        reasons: record field -> why it is null, for every measured field that is null.
    """

    params_M: float | None = None
    flops_G: float | None = None
    size_MB: float | None = None
    vram_GB: float | None = None
    t_scene_s: float | None = None
    pairs_per_sec: float | None = None
    gpu_hours: float | None = None
    per_pair: Mapping[str, Sequence[float]] = field(default_factory=dict)
    latency: Latency | None = None
    quantities: Mapping[str, float] = field(default_factory=dict)
    notes: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What all results of one execution of a task have in common.

    Attributes:
        task: the resolved task that is executed.
        environment: see `environment_fingerprint`.
        runtime: what executes the networks; None for a task that runs none.
        inputs: file read, named as the task names it -> its SHA-256.
        started: when the execution began; an aware datetime.
        began: the same by the clock that nobody sets, seconds.
    """

    task: "ResolvedTask"
    environment: Environment
    runtime: Runtime | None
    inputs: Mapping[str, str]
    started: dt.datetime
    began: float = field(default_factory=time.monotonic)


def build_result(
    execution: Execution,
    parameters: Parameters | None,
    measured: Measurement,
    *,
    artifacts: Mapping[str, str],
    role: Role = "candidate",
    runtime: Runtime | None = None,
    baselines: Mapping[str, BaselineRef] | None = None,
    finished: dt.datetime | None = None,
) -> Result:
    """Build the result of one measured network.

    Args:
        execution: what is executed, on what.
        parameters: the experiment of these figures, from `record_parameters`; None for a task
            without its own experiment that measured no network.
        measured: the figures.
        artifacts: files measured or written, relative to the result file -> SHA-256.
        role: whether the task's lines bind the result.
        runtime: the network's runtime, if it differs from that of the execution.
        baselines: the results to compare with, keyed by the baseline task of its lines.
        finished: when the measurement ended; now by default.

    Raises:
        pydantic.ValidationError: a figure is NaN, out of its range, or null without a reason.
    """
    ended = finished or _ended(execution)
    record = None
    if parameters is not None:
        record = _record(parameters, measured, execution.task.workload, ended)
    return Result(
        record=record,
        provenance=Provenance(
            task=execution.task.id,
            profile=execution.task.profile_name,
            role=role,
            spec_digest=execution.task.digest,
            profile_digest=execution.task.profile_digest,
            workload_sha256=execution.task.workload_digest,
            inputs=dict(execution.inputs),
            artifacts=dict(artifacts),
            commit=execution.environment.commit,
            dirty=execution.environment.dirty,
            device=execution.environment.device,
            runtime=runtime or execution.runtime,
            versions=execution.environment.versions,
            baselines=dict(baselines or {}),
            per_pair={metric: tuple(values) for metric, values in measured.per_pair.items()},
            latency=measured.latency,
            quantities=dict(measured.quantities),
            started=execution.started,
            finished=ended,
            reasons=dict(measured.reasons),
            measuring_code=execution.environment.measuring_code,
            training_code=execution.environment.training_code,
            draft=execution.environment.draft,
        ),
    )


def _ended(execution: Execution) -> dt.datetime:
    """Not the present time: a clock that was set meanwhile would end it before it began."""
    return execution.started + dt.timedelta(seconds=time.monotonic() - execution.began)


def _record(
    parameters: Parameters, measured: Measurement, workload: "WorkloadSpec", ended: dt.datetime
) -> Record:
    """The record, with aggregates of the values in `measured`."""
    quality = {
        metric: mean(measured.per_pair[metric]) if metric in measured.per_pair else None
        for metric in QUALITY_METRICS
    }
    samples = measured.latency.candidate_ms if measured.latency else None
    lower, upper = workload.timing.percentiles
    return Record(
        **parameters,
        **quality,
        params_M=measured.params_M,
        flops_G=measured.flops_G,
        size_MB=measured.size_MB,
        vram_GB=measured.vram_GB,
        t_pair_p50_ms=percentile(samples, lower) if samples else None,
        t_pair_p95_ms=percentile(samples, upper) if samples else None,
        t_scene_s=measured.t_scene_s,
        pairs_per_sec=measured.pairs_per_sec,
        gpu_hours=measured.gpu_hours,
        notes=measured.notes,
        seed=workload.seed,
        datetime=ended,
    )
