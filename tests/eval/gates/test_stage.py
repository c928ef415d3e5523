"""The verdicts of a stage, from result files alone."""

import datetime as dt
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from declared_specs import exp_id

from dust_core.declared.records import BaselineRef, Result, ResultFile, write_result_file
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models import Escalate, Gate
from dust_core.errors import DustError
from dust_eval.gates import (
    TaskVerdicts,
    declared_results,
    judge_stage,
    judge_task,
    tasks_judged_with,
    with_verdicts,
)

QUALITY = Gate(
    title="quality holds", metric="delta1_drop", op="<=", value=1.0, unit="%", baseline="P0-2"
)
FINITE = Gate(
    title="no NaN", metric="nan_count", op="==", value=0.0, unit="count", baseline=None
)  # fmt: skip
PTQ, QAT = "Q_PTQ_keepLN_run1", "Q_QAT_keepLN_run1"


PLAIN = resolve(load_specs(Path(__file__).parents[3] / "specs"), "K-1", "small")
STUDENT = exp_id("K-1")
LOG = f"{STUDENT}_log.json"


def resolved(task: str, *, on_failure: Any = "stop", **gates: Gate) -> ResolvedTask:
    """A task of another id and other lines, which `sample_results` has results of."""
    return replace(
        PLAIN,
        id=task,
        digest="1" * 64,
        gates=gates or {"quality": QUALITY},
        task=PLAIN.task.model_copy(update={"on_failure": on_failure}),
    )


def teacher(task: str = "P0-2", role: str = "candidate", **changes: Any) -> Result:
    artifacts = {"teacher_fp32.pth": "4" * 64}
    return sample.result(sample.TEACHER, task=task, role=role, artifacts=artifacts, **changes)


def measured(exp_id: str, task: str, delta1: float = 0.95, **changes: Any) -> ResultFile:
    quality = sample.per_pair(delta1=delta1)
    return sample.result_file(sample.result(exp_id, task=task, quality=quality, **changes))


def nothing_measured(task: str) -> ResultFile:
    provenance = sample.result(task=task).provenance
    return sample.result_file(Result(record=None, provenance=provenance))


def by_task(*files: ResultFile) -> dict[str, ResultFile]:
    return {file.task: file for file in files}


TEACHER_FILE = sample.result_file(teacher())
K1, Q1 = resolved("K-1"), resolved("Q-1", on_failure=Escalate(escalate="Q-2"))
Q2 = resolved("Q-2")


def statuses(judged: tuple[TaskVerdicts, ...]) -> list[tuple[str, str | None, str | None, bool]]:
    return [(task.task, task.status, task.settled, task.passed) for task in judged]


def test_each_line_binds_each_candidate() -> None:
    task = resolved("ABL-1", quality=QUALITY, finite=FINITE)
    variants = [
        sample.result(f"ABL_KEEP_{code}_run1", task="ABL-1", quality=sample.per_pair(delta1=delta1))
        for code, delta1 in (("noLN", 0.90), ("noSM", 0.95))
    ]
    judged = judge_task(task, by_task(sample.result_file(*variants), TEACHER_FILE))
    assert [(verdict.gate, verdict.exp_id, verdict.status) for verdict in judged.verdicts] == [
        ("quality", "ABL_KEEP_noLN_run1", "fail"),
        ("quality", "ABL_KEEP_noSM_run1", "pass"),
        ("finite", "ABL_KEEP_noLN_run1", "pass"),
        ("finite", "ABL_KEEP_noSM_run1", "pass"),
    ]
    assert not judged.passed


def test_a_task_without_a_result_fails_every_line() -> None:
    (judged,) = judge_stage([K1], by_task(TEACHER_FILE))
    assert [verdict.reason for verdict in judged.verdicts] == ["K-1 has no result"]
    assert not judged.passed


def test_a_baseline_measured_beside_the_candidate_goes_before_its_own_task() -> None:
    elsewhere = TEACHER_FILE.results[0].provenance.device.model_copy(
        update={"fingerprint": "e" * 64}
    )
    replayed = sample.result_file(teacher(device=elsewhere))
    alone = judge_task(K1, by_task(measured(sample.STUDENT, "K-1"), replayed))
    assert alone.status == "inconclusive"
    beside = sample.result_file(sample.result(), teacher("K-1", "baseline"))
    assert judge_task(K1, by_task(beside, replayed)).status == "pass"


def test_a_baseline_of_another_name_is_no_baseline() -> None:
    reference = {"P0-2": BaselineRef(exp_id="P0_FP32_run1", sha256="4" * 64)}
    latency = sample.turns(100.0)
    file = sample.result_file(sample.result(baselines=reference, latency=latency))
    (verdict,) = judge_task(K1, by_task(file, TEACHER_FILE)).verdicts
    assert verdict.reason == "the baseline P0-2 has no result"


def test_without_a_reference_the_only_result_of_the_baseline_task_is_taken() -> None:
    file = sample.result_file(sample.result(baselines={}))
    assert judge_task(K1, by_task(file, TEACHER_FILE)).status == "pass"


EARLIER, LATER = (sample.MOMENT + dt.timedelta(hours=hours) for hours in (-1, 1))


@pytest.mark.parametrize("finished", [EARLIER, LATER])
@pytest.mark.parametrize(
    ("stray", "task"),
    [
        ("K_T3B05_run1_log.json", "K-1"),
        (f"{STUDENT}0_log.json", "K-1"),  # sorts before the declared one
        ("old_teacher_eval.json", "P0-2"),
    ],
)
def test_of_several_runs_the_declared_one_counts(
    tmp_path: Path, stray: str, task: str, finished: dt.datetime
) -> None:
    """P0-2's stray teacher is so much better than the true one that the student would fail."""
    assert PLAIN.result_files["K-1"] == LOG
    exp_id = sample.TEACHER if task == "P0-2" else stray.removesuffix("_log.json")
    delta1 = 1.0 if task == "P0-2" else 0.5
    write_result_file(tmp_path / stray, measured(exp_id, task, delta1, finished=finished))
    write_result_file(tmp_path / LOG, measured(STUDENT, "K-1"))
    write_result_file(tmp_path / "teacher_eval.json", TEACHER_FILE)
    results = declared_results(PLAIN.result_files, tmp_path, tasks_judged_with([K1]))
    assert results.keys() == {"K-1", "P0-2"}
    (verdict,) = judge_task(K1, results).verdicts
    assert (verdict.exp_id, verdict.status, verdict.value) == (STUDENT, "pass", 0.0)


def test_another_run_is_no_result_of_the_declared_one(tmp_path: Path) -> None:
    write_result_file(tmp_path / f"{STUDENT}0_log.json", measured(f"{STUDENT}0", "K-1"))
    results = declared_results(PLAIN.result_files, tmp_path)
    assert results == {}
    (verdict,) = judge_task(K1, results).verdicts
    assert verdict.reason == "K-1 has no result"


def test_a_file_that_holds_the_results_of_another_task_is_refused(tmp_path: Path) -> None:
    write_result_file(tmp_path / LOG, measured("K_T5B05_run1", "K-2"))
    with pytest.raises(DustError, match="the result file of K-1, and it holds results of K-2"):
        declared_results(PLAIN.result_files, tmp_path, ["K-1"])


def test_an_escalated_task_is_settled_by_the_one_that_took_over() -> None:
    files = by_task(measured(PTQ, "Q-1", 0.90), measured(QAT, "Q-2", 0.95), TEACHER_FILE)
    assert statuses(judge_stage([Q1, Q2], files)) == [
        ("Q-1", "fail", "Q-2 took over and passes", True),
        ("Q-2", "pass", None, True),
    ]


def test_escalation_does_not_help_where_both_fail() -> None:
    files = by_task(measured(PTQ, "Q-1", 0.90), measured(QAT, "Q-2", 0.91), TEACHER_FILE)
    assert statuses(judge_stage([Q1, Q2], files)) == [
        ("Q-1", "fail", None, False),
        ("Q-2", "fail", None, False),
    ]


@pytest.mark.parametrize("rest", [[], [nothing_measured("Q-2")]])
def test_what_nothing_escalates_to_is_not_needed(rest: list[ResultFile]) -> None:
    files = by_task(measured(PTQ, "Q-1", 0.95), *rest, TEACHER_FILE)
    assert statuses(judge_stage([Q1, Q2], files)) == [
        ("Q-1", "pass", None, True),
        ("Q-2", None, "not needed: Q-1 passes", True),
    ]


def test_what_ran_although_it_was_not_needed_counts() -> None:
    files = by_task(measured(PTQ, "Q-1", 0.95), measured(QAT, "Q-2", 0.90), TEACHER_FILE)
    assert [task.passed for task in judge_stage([Q1, Q2], files)] == [True, False]


def test_an_escalation_that_did_not_run_leaves_the_failure() -> None:
    files = by_task(measured(PTQ, "Q-1", 0.90), TEACHER_FILE)
    assert statuses(judge_stage([Q1, Q2], files)) == [
        ("Q-1", "fail", None, False),
        ("Q-2", "fail", None, False),
    ]


def test_verdicts_are_written_beside_their_results_and_replace_older_ones() -> None:
    file = with_verdicts(K1, measured(sample.STUDENT, "K-1", 0.90), by_task(TEACHER_FILE))
    assert [verdict.status for verdict in file.verdicts] == ["fail"]
    assert with_verdicts(K1, file, by_task(TEACHER_FILE)) == file


def test_judging_starts_without_numpy_or_torch() -> None:
    code = (
        "import sys, dust_eval.gates.commands;"
        "print([name for name in ('torch', 'numpy', 'rich.table') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
