"""Writes the results of the valid example anew: its digests follow from its specs."""

import datetime as dt
from pathlib import Path

import check_examples as examples

from dust_core.declared.records import (
    BaselineRef,
    Latency,
    MeasuredDevice,
    Provenance,
    Record,
    Result,
    ResultFile,
    Runtime,
    Verdict,
    mean,
    percentile,
    record_parameters,
    result_file_text,
    table_csv,
    table_records,
)
from dust_core.declared.specs import load_specs, resolve
from dust_core.declared.specs.names import parse_exp_id
from dust_core.files import atomic_write_text, sha256_file

MOMENT = dt.datetime(2026, 11, 23, 8, 15, tzinfo=dt.UTC)
FOLDER = examples.VALID / "artifacts" / "mini"
STUDENT = "student_fp32_t3b05.pth"


def main() -> None:
    """Write K-1's checkpoint (a line of text), its log and the table."""
    atomic_write_text(FOLDER / STUDENT, "stands for a checkpoint of four million bytes\n")
    log = result_file(examples.VALID)
    atomic_write_text(FOLDER / "K_T3B05_run1_log.json", result_file_text(log))
    atomic_write_text(FOLDER / "result_table.csv", table_csv(table_records([log])))


def result_file(project: Path) -> ResultFile:
    """The log of K-1 as specified in `project`; every figure is made up."""
    task = resolve(load_specs(project / "specs"), "K-1", "mini")
    per_pair = {"chamfer": 0.08, "absrel": 0.06, "rmse": 0.31, "delta1": 0.95}
    values = {
        name: tuple(value + 0.001 * (i % 3) for i in range(20)) for name, value in per_pair.items()
    }
    samples = (20.0, 21.0, 20.5, 22.0)
    record = Record(
        **record_parameters(parse_exp_id("K_T3B05_run1")),
        params_M=1.1,
        flops_G=6.2,
        size_MB=4.0,
        vram_GB=0.4,
        **{name: mean(listed) for name, listed in values.items()},
        t_pair_p50_ms=percentile(samples, 50),
        t_pair_p95_ms=percentile(samples, 95),
        t_scene_s=3.5,
        pairs_per_sec=48.0,
        gpu_hours=None,
        notes="figures made up for an example",
        seed=42,
        datetime=MOMENT,
    )
    provenance = Provenance(
        task="K-1",
        profile="mini",
        role="candidate",
        spec_digest=task.digest,
        profile_digest=task.profile_digest,
        workload_sha256=task.workload_digest,
        inputs={"teacher_fp32.pth": "4" * 64},
        artifacts={STUDENT: sha256_file(FOLDER / STUDENT)},
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
        baselines={"P0-2": BaselineRef(exp_id="P0_FP32_run1", sha256="4" * 64)},
        per_pair=values,
        latency=Latency(candidate_ms=samples, baseline=None, baseline_ms=None),
        quantities={},
        started=MOMENT - dt.timedelta(minutes=20),
        finished=MOMENT,
        reasons={"gpu_hours": "no GPU was used"},
    )
    verdict = Verdict(
        task="K-1",
        gate="quality",
        exp_id=record.exp_id,
        status="pass",
        metric="delta1_drop",
        op="<=",
        line=1.0,
        unit="%",
        value=0.4,
        margin=0.6,
        interval=None,
        baseline="P0_FP32_run1",
        reason=None,
        beside=(),
    )
    return ResultFile(
        apiVersion="dust/v1",
        kind="Result",
        task="K-1",
        results=(Result(record=record, provenance=provenance),),
        verdicts=(verdict,),
        extra={},
    )


if __name__ == "__main__":
    main()
