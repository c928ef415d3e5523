"""Results made up for tests: every value is chosen, none was measured."""

import datetime as dt
from typing import Any

from declared_specs import exp_id as declared_exp_id
from declared_specs import specs

from dust_core.declared.records import (
    MEASURED_FIELDS,
    QUALITY_METRICS,
    BaselineRef,
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
)
from dust_core.declared.specs.names import parse_exp_id

MOMENT = dt.datetime(2026, 11, 23, 8, 15, tzinfo=dt.UTC)
CPU = MeasuredDevice(kind="cpu", name="Example CPU", fingerprint="c" * 64)
OPENVINO = Runtime(
    name="openvino", versions={"openvino": "2026.4.1"}, precision="fp32", threads=2, tf32=None
)
TEACHER = declared_exp_id("P0-2")
STUDENT = "K_T3B05_run1"


def per_pair(delta1: float = 0.95, absrel: float = 0.06, pairs: int = 20) -> dict[str, Any]:
    """Metric -> a value for each pair, spread evenly about the mean that is given."""
    means = {"chamfer": 0.08, "absrel": absrel, "rmse": 0.31, "delta1": delta1}
    offsets = [(2 * i - pairs + 1) / pairs * 0.02 for i in range(pairs)]
    return {name: tuple(value * (1 + o) for o in offsets) for name, value in means.items()}


def turns(candidate: float, baseline: float | None = None, repeats: int | None = None) -> Latency:
    """Latency samples about two medians (ms), timed against P0-2 where there are two.

    There are as many as the workload asks for, unless `repeats` says how many.
    """
    count = specs().workload.timing.repeats if repeats is None else repeats

    def samples(median: float) -> tuple[float, ...]:
        return tuple(median * (1 + 0.01 * ((7 * i) % 11 - 5)) for i in range(count))

    return Latency(
        candidate_ms=samples(candidate),
        baseline="P0-2" if baseline else None,
        baseline_ms=samples(baseline) if baseline else None,
    )


def result(
    exp_id: str = STUDENT,
    *,
    task: str = "K-1",
    quality: dict[str, Any] | None = None,
    latency: Latency | None = None,
    figures: dict[str, Any] | None = None,
    **provenance: Any,
) -> Result:
    """A complete result: parameters from `exp_id`, figures from `quality`, `latency`, `figures`."""
    pairs = per_pair() if quality is None else quality
    latency = latency or turns(200.0)
    name = parse_exp_id(exp_id)
    based = [parse_exp_id(STUDENT), parse_exp_id("Q_PTQ_keepLN_run1")]
    values: dict[str, Any] = {
        **record_parameters(name, *(based if exp_id.startswith(("KQ", "ABL")) else ())),
        "params_M": 9.5,
        "flops_G": 60.25,
        "size_MB": 38.0,
        "vram_GB": 1.5,
        **{metric: mean(pairs[metric]) if metric in pairs else None for metric in QUALITY_METRICS},
        "t_pair_p50_ms": percentile(latency.candidate_ms, 50),
        "t_pair_p95_ms": percentile(latency.candidate_ms, 95),
        "t_scene_s": 14.5,
        "pairs_per_sec": 1000 / percentile(latency.candidate_ms, 50),
        "gpu_hours": 3.5,
        "notes": None,
        "seed": 42,
        "datetime": MOMENT,
        **(figures or {}),
    }
    nulls = [field for field in MEASURED_FIELDS if values[field] is None]
    return Result(
        record=Record(**values),
        provenance=Provenance(**_provenance(task, pairs, latency, nulls) | provenance),
    )


def result_file(*results: Result, **other: Any) -> ResultFile:
    """The file in which `results` (default: one) of one task lie."""
    members = results or (result(),)
    task = members[0].provenance.task
    fields: dict[str, Any] = {"task": task, "results": members, "verdicts": (), "extra": {}}
    return ResultFile(apiVersion="dust/v1", kind="Result", **fields | other)


def _provenance(
    task: str, pairs: dict[str, Any], latency: Latency, nulls: list[str]
) -> dict[str, Any]:
    return {
        "task": task,
        "profile": "small",
        "role": "candidate",
        "spec_digest": "1" * 64,
        "profile_digest": "2" * 64,
        "workload_sha256": "3" * 64,
        "inputs": {"teacher_fp32.pth": "4" * 64},
        "artifacts": {"student_fp32_t3b05.pth": "5" * 64},
        "commit": "6" * 40,
        "dirty": False,
        "device": CPU,
        "runtime": OPENVINO,
        "versions": {"python": "3.11.7"},
        "baselines": {"P0-2": BaselineRef(exp_id=TEACHER, sha256="4" * 64)},
        "per_pair": pairs,
        "latency": latency,
        "quantities": {"nan_count": 0.0},
        "started": MOMENT - dt.timedelta(hours=2),
        "finished": MOMENT,
        "reasons": dict.fromkeys(nulls, "not measured in this test"),
    }
