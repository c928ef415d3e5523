"""Results of P4 that answer to this repository's own specs."""

from pathlib import Path
from typing import Any

import sample_results as sample
from declared_specs import exp_id

from dust_core.declared.records import Result, write_result_file
from dust_core.declared.specs import load_specs, resolve
from dust_core.files import sha256_file
from dust_eval.gates import with_verdicts

SPECS = Path(__file__).parents[3] / "specs"
TASKS = {task: resolve(load_specs(SPECS), task, "small") for task in ("P0-2", "P-1", "P-2", "P-3")}
P10, P30 = exp_id("P-1"), exp_id("P-2")
SIZES = {P10: 35.0, P30: 27.0}
TEACHER = {"teacher_fp32.pth": "4" * 64}
PRUNED = {
    P10: {"pruned_r010.pth": "a" * 64},
    P30: {"pruned_r030.pth": "b" * 64},
}


def result(exp_id: str, task: str, **changes: Any) -> Result:
    proof = {"spec_digest": TASKS[task].digest, "workload_sha256": TASKS[task].workload_digest}
    return sample.result(exp_id, task=task, **proof | changes)


def teacher(task: str, **changes: Any) -> Result:
    return result(sample.TEACHER, task, **{"artifacts": TEACHER, "role": "baseline"} | changes)


def pruned(
    task: str, exp_id: str, role: str = "candidate", delta1: float = 0.94, **changes: Any
) -> Result:
    figures = {"size_MB": SIZES[exp_id]}
    proof = {"quality": sample.per_pair(delta1=delta1), "artifacts": PRUNED[exp_id], "role": role}
    return result(exp_id, task, figures=figures, **proof | changes)


def write_all(folder: Path) -> None:
    """Write the results of a P4 in which everything was executed and passes."""
    counts = {"nan_count": 0.0, "missing_fields": 0.0}
    evaluated = teacher("P0-2", role="candidate", baselines={}, quantities=counts)
    write_result_file(folder / "teacher_eval.json", sample.result_file(evaluated))
    read = TEACHER | PRUNED[P10] | PRUNED[P30]
    read |= {"teacher_eval.json": sha256_file(folder / "teacher_eval.json")}
    files = {
        f"{P10}_log": [pruned("P-1", P10), teacher("P-1")],
        f"{P30}_log": [pruned("P-2", P30), teacher("P-2")],
        "prune_eval": [
            pruned("P-3", P30, inputs=read),
            pruned("P-3", P10, "reference", inputs=read),
            teacher("P-3", inputs=read),
        ],
    }
    for name, members in files.items():
        file = sample.result_file(*members)
        write_result_file(folder / f"{name}.json", with_verdicts(TASKS[file.task], file))
