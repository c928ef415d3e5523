"""`dust gate` on result files that answer to this repository's own specs."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import sample_results as sample
from pruned_results import P10, P30, pruned, teacher

from dust_core.declared.records import read_result_file, write_result_file

Run = Callable[..., tuple[int, str, str]]


def test_a_stage_that_passes_exits_0(results: Path, gate: Run) -> None:
    code, output, _ = gate("P4")
    assert code == 0
    assert output.startswith("P4, profile small")
    assert "P-3" in output and "smaller_by_quarter: size_or_params_down >= 25 %" in output
    assert "fail" not in output and "inconclusive" not in output


def test_a_missed_line_exits_1_and_says_by_how_much(results: Path, gate: Run) -> None:
    worse = sample.result_file(pruned("P-2", P30, delta1=0.90), teacher("P-2"))
    write_result_file(results / f"{P30}_log.json", worse)
    code, output, _ = gate("p4", "--profile", "small")
    assert code == 1
    lines = output.splitlines()
    assert f"P-2 {P30}, quality_pruned: fail: 5.263 % is above 3 %" in lines
    assert (
        f"P-2 {P30}, quality_pruned: decided by its value on the whole workload; "
        "for other pictures 2 places make it 50 % sure at most"
    ) in lines


@pytest.mark.parametrize("name", [f"{P10}0_log.json", "A_log.json"])
def test_a_second_result_of_a_task_decides_nothing_and_neither_does_the_first(
    results: Path, gate: Run, name: str
) -> None:
    better = sample.result_file(pruned("P-1", P10, delta1=0.96), teacher("P-1"))
    write_result_file(results / name, better)
    code, output, _ = gate("P4")
    assert code == 1
    assert (
        f"P-1 {P10}, quality_pruned: inconclusive: {name}: task: found "
        "a second result of P-1, expected "
        f"{P10}_log.json alone: remove {name}; another run needs the next run "
        "number in its spec"
    ) in output.splitlines()


def test_a_task_that_did_not_run_exits_1(results: Path, gate: Run) -> None:
    (results / "prune_eval.json").unlink()
    code, output, _ = gate("P4")
    assert code == 1
    assert output.count("no result") == 3  # a word for each line of the task, and what it counts
    assert output.splitlines()[-2:] == [
        "P-3: no result here, which counts as a fail",
        "P-3: try this: run 'dust repro P4 --profile small'",
    ]


def test_nothing_measured_at_all_exits_1(results: Path, gate: Run) -> None:
    code, output, _ = gate("P1")
    assert code == 1
    assert "K-1, K-2, K-3, K-4: no result here, which counts as a fail" in output


def test_a_result_of_an_older_spec_exits_1(results: Path, gate: Run) -> None:
    stale = pruned("P-1", P10)
    proof = stale.provenance.model_copy(update={"spec_digest": "0" * 64})
    file = sample.result_file(stale.model_copy(update={"provenance": proof}), teacher("P-1"))
    write_result_file(results / f"{P10}_log.json", file)
    code, output, _ = gate("P4")
    assert code == 1
    assert (
        f"P-1 {P10}, quality_pruned: fail: the result is of another version of P-1: run it again"
    ) in output.splitlines()


def test_json_goes_to_a_file_or_alone_to_the_output(results: Path, gate: Run) -> None:
    code, shown, _ = gate("P4", "--json", "out/p4.json")
    assert code == 0 and shown.startswith("P4, profile small")
    written = json.loads(Path("out/p4.json").read_text())
    code, alone, _ = gate("P4", "--json", "-")
    assert code == 0 and json.loads(alone) == written
    assert (written["kind"], written["stage"], written["passed"]) == ("GateReport", "P4", True)
    kept = read_result_file(results / "prune_eval.json").verdicts
    computed = written["tasks"][2]["verdicts"]
    assert [verdict.model_dump(mode="json") for verdict in kept] == computed


def test_an_unknown_stage_or_profile_exits_2(results: Path, gate: Run) -> None:
    code, _, errors = gate("P9")
    assert code == 2 and "there is no stage" in errors
    code, _, errors = gate("P4", "--profile", "smal")
    assert code == 2 and "there is no profile 'smal'" in errors and "did you mean small?" in errors


def test_a_damaged_result_exits_2_in_one_message(results: Path, gate: Run) -> None:
    (results / "prune_eval.json").write_text('{"kind": "Result"}')
    code, _, errors = gate("P4")
    assert code == 2
    assert errors.startswith("error: artifacts/small/prune_eval.json: apiVersion: the field is")


@pytest.mark.parametrize("name", ["device.json", "prune_eval.json", "teacher_eval.json", "a.json"])
def test_a_pipe_among_the_results_does_not_stop_the_gate(
    name: str, results: Path, gate: Run
) -> None:
    (results / name).unlink(missing_ok=True)
    os.mkfifo(results / name)

    def hang(number: int, frame: object) -> None:
        raise TimeoutError(f"it waits for somebody to write into {name}")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(10)
    try:
        code, output, errors = gate("P4")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert code in (0, 1) and "P-3" in output and not errors
