"""A line against the fastest float precision in which the baseline's network was timed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from lines import line, outcome, student, teacher

from dust_core.declared.records import Result, Runtime
from dust_core.declared.specs import load_specs, resolve
from dust_eval.gates import judge, with_verdicts

ROOT = Path(__file__).parents[3]
FASTER = line("t_pair_p50_down_fastest_float", ">=", 20.0)


def in_floats(precision: str, ms: float, **changes: Any) -> Result:
    """The teacher in another float precision, timed in the same turns."""
    ran: dict[str, Any] = {
        "artifacts": {"teacher_fp32.pth": "4" * 64},
        "role": "reference",
        "latency": sample.turns(ms),
        "runtime": Runtime(**dict(sample.OPENVINO) | {"precision": precision}),
    }
    return sample.result(sample.TEACHER, **ran | changes)


@pytest.mark.parametrize(
    ("bf16", "value", "status", "against"),
    [
        (120.0, 25.0, "pass", "bf16"),
        (100.0, 10.0, "fail", "bf16"),
        (400.0, 55.0, "pass", "fp32"),
    ],
)
def test_the_fastest_float_decides(bf16: float, value: float, status: str, against: str) -> None:
    candidate = student(latency=sample.turns(90.0, 200.0))
    verdict = judge(FASTER, candidate, teacher(), beside=[in_floats("bf16", bf16)])
    assert (verdict.status, verdict.value) == (status, pytest.approx(value))
    (effect,) = verdict.beside
    assert (effect.against, effect.candidate) == (against, 90.0)


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ([], "the network of P0-2 was not timed in another float precision than fp32"),
        (
            [in_floats("bf16", 100.0, latency=sample.turns(100.0, repeats=30))],
            "fp32 and bf16 of P0-2 were not timed in the same turns",
        ),
    ],
)
def test_the_fastest_float_needs_both_in_the_same_turns(beside: list[Result], reason: str) -> None:
    candidate = student(latency=sample.turns(90.0, 200.0))
    assert outcome(judge(FASTER, candidate, teacher(), beside=beside)) == ("fail", reason)


def test_a_processor_without_16_bits_compares_with_fp32() -> None:
    candidate = student(latency=sample.turns(90.0, 200.0))
    verdict = judge(FASTER, candidate, teacher(), beside=[in_floats("fp32", 200.0)])
    assert (verdict.status, verdict.value) == ("pass", pytest.approx(55.0))


def test_a_network_of_other_weights_is_not_the_baseline_in_other_floats() -> None:
    plain = resolve(load_specs(ROOT / "specs"), "K-1", "small")
    task = replace(plain, digest="1" * 64, gates={"faster": FASTER.gate})
    candidate = student(latency=sample.turns(90.0, 200.0))
    other = in_floats("bf16", 95.0, artifacts={"student_fp32_best.pth": "9" * 64})
    for beside, expected in (((other,), "fail"), ((other, in_floats("bf16", 150.0)), "pass")):
        file = sample.result_file(candidate, teacher(), *beside)
        (verdict,) = with_verdicts(task, file).verdicts
        assert verdict.status == expected
