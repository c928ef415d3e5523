"""Lines, and results to hold to them, that the tests of judging share."""

from typing import Any

import sample_results as sample

from dust_core.declared.records import Result, Verdict
from dust_core.declared.specs.models import Gate
from dust_eval.gates import GateLine, Resampling

PLAN = Resampling(resamples=2000, confidence=0.95, seed=42)


def line(
    metric: str, op: str, value: float, unit: str = "%", baseline: str | None = "P0-2"
) -> GateLine:
    gate = Gate(title="a line", metric=metric, op=op, value=value, unit=unit, baseline=baseline)
    return GateLine("K-1", "1" * 64, "the-line", gate, PLAN)


QUALITY = line("delta1_drop", "<=", 1.0)
LATENCY = line("t_pair_p50_down", ">=", 50.0)
SIZE = line("size_or_params_down", ">=", 25.0)
NAN = line("nan_count", "==", 0, "count", None)


def teacher(**changes: Any) -> Result:
    artifacts = {"artifacts": {"teacher_fp32.pth": "4" * 64}}
    return sample.result(sample.TEACHER, **artifacts | {"role": "baseline"} | changes)


def student(**changes: Any) -> Result:
    return sample.result(**changes)


def outcome(verdict: Verdict) -> tuple[str, str | None]:
    return verdict.status, verdict.reason
