"""Writes the results of the valid example anew: their digests follow from its specs."""

import datetime as dt
from pathlib import Path
from typing import Any

import check_examples as examples

from dust_core.declared.records import (
    MEASURED_FIELDS,
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
STUDENT, TEACHER = "student_fp32_t3b05.pth", "teacher_fp32.pth"
NETWORKS = {
    STUDENT: "stands for a checkpoint of four million bytes\n",
    TEACHER: "stands for a checkpoint of five million bytes\n" * 50,
}
MEDIANS = {"P0-2": 40.0, "K-1": 20.0}
QUALITY = {
    "P0-2": {"chamfer": 0.078, "absrel": 0.058, "rmse": 0.305, "delta1": 0.954},
    "K-1": {"chamfer": 0.08, "absrel": 0.06, "rmse": 0.31, "delta1": 0.95},
}


def main() -> None:
    """Write the checkpoints (lines of text), the results of three tasks and the table."""
    for name, text in NETWORKS.items():
        atomic_write_text(FOLDER / name, text)
    files = {
        "P0_TRAIN_run1_log.json": trained(examples.VALID),
        "teacher_eval.json": evaluated(examples.VALID),
        "K_T3B05_run1_log.json": result_file(examples.VALID),
    }
    for name, file in files.items():
        atomic_write_text(FOLDER / name, result_file_text(file))
    atomic_write_text(FOLDER / "result_table.csv", table_csv(table_records(files.values())))


def trained(project: Path) -> ResultFile:
    """The log of P0-teacher: a size, and nothing else."""
    size = len(NETWORKS[TEACHER].encode()) / 1e6
    training = _result(project, "P0-teacher", "P0_TRAIN_run1", {"size_MB": size}, runtime=None)
    return _file("P0-teacher", training)


def evaluated(project: Path) -> ResultFile:
    """The evaluation of the teacher."""
    return _file("P0-2", _teacher(project, "P0-2"))


def result_file(project: Path) -> ResultFile:
    """The log of K-1 as specified in `project`; every figure is made up."""
    teacher = _teacher(project, "K-1", role="baseline")
    reference = BaselineRef(exp_id="P0_FP32_run1", sha256=sha256_file(FOLDER / TEACHER))
    student = _result(
        project,
        "K-1",
        "K_T3B05_run1",
        {"params_M": 1.1, "flops_G": 6.2, "size_MB": 4.0, "vram_GB": 0.4, "t_scene_s": 3.5},
        inputs={TEACHER: sha256_file(FOLDER / TEACHER)},
        artifacts={STUDENT: sha256_file(FOLDER / STUDENT)},
        baselines={"P0-2": reference},
        per_pair=_pairs("K-1"),
        latency=Latency(candidate_ms=_turns("K-1"), baseline="P0-2", baseline_ms=_turns("P0-2")),
    )
    verdict = Verdict(
        task="K-1",
        gate="quality",
        exp_id="K_T3B05_run1",
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
    return _file("K-1", student, teacher, verdicts=(verdict,))


def _teacher(project: Path, task: str, **provenance: Any) -> Result:
    return _result(
        project,
        task,
        "P0_FP32_run1",
        {"params_M": 1.4, "flops_G": 9.1, "size_MB": 5.6, "vram_GB": 0.5, "t_scene_s": 5.5},
        inputs={TEACHER: sha256_file(FOLDER / TEACHER)},
        per_pair=_pairs("P0-2"),
        latency=Latency(candidate_ms=_turns("P0-2"), baseline=None, baseline_ms=None),
        **provenance,
    )


def _pairs(network: str) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(value + 0.001 * (i % 3) for i in range(20))
        for name, value in QUALITY[network].items()
    }


def _turns(network: str) -> tuple[float, ...]:
    return tuple(MEDIANS[network] + 0.5 * (i % 4) for i in range(50))


def _file(task: str, *results: Result, verdicts: tuple[Verdict, ...] = ()) -> ResultFile:
    head: dict[str, Any] = {"apiVersion": "dust/v1", "kind": "Result"}
    return ResultFile(**head, task=task, results=results, verdicts=verdicts, extra={})


def _result(
    project: Path, task_id: str, exp_id: str, figures: dict[str, float], **provenance: Any
) -> Result:
    """A result whose record follows from its provenance; what is absent was not measured."""
    task = resolve(load_specs(project / "specs"), task_id, "mini")
    values: dict[str, Any] = dict.fromkeys(MEASURED_FIELDS) | figures
    values |= {name: mean(listed) for name, listed in provenance.get("per_pair", {}).items()}
    if latency := provenance.get("latency"):
        median = percentile(latency.candidate_ms, 50)
        values |= {"t_pair_p50_ms": median, "pairs_per_sec": 1000 / median}
        values["t_pair_p95_ms"] = percentile(latency.candidate_ms, 95)
    record = Record(
        **record_parameters(parse_exp_id(exp_id)),
        **values,
        notes="figures made up for an example",
        seed=42,
        datetime=MOMENT,
    )
    stated: dict[str, Any] = {
        "role": "candidate",
        "inputs": {},
        "artifacts": {TEACHER: sha256_file(FOLDER / TEACHER)},
        "runtime": Runtime(
            name="openvino",
            versions={"openvino": "2026.4.1"},
            precision="fp32",
            threads=2,
            tf32=None,
        ),
        "baselines": {},
        "per_pair": {},
        "latency": None,
    }
    return Result(
        record=record,
        provenance=Provenance(
            task=task_id,
            profile="mini",
            spec_digest=task.digest,
            profile_digest=task.profile_digest,
            workload_sha256=task.workload_digest,
            commit="6" * 40,
            dirty=False,
            device=MeasuredDevice(kind="cpu", name="Example CPU", fingerprint="c" * 64),
            versions={"python": "3.11.7"},
            quantities={},
            started=MOMENT - dt.timedelta(minutes=20),
            finished=MOMENT,
            reasons={
                field: "no GPU was used" if field == "gpu_hours" else "training measures no speed"
                for field in MEASURED_FIELDS
                if values[field] is None
            },
            measuring_code="a" * 64,
            training_code="b" * 64,
            **stated | provenance,
        ),
    )


if __name__ == "__main__":
    main()
