"""VERD001 on verdicts that the example project does not have: latencies and own quantities."""

import json
from pathlib import Path
from typing import Any

import check_examples as examples
import pytest

from dust_core.declared.checks import validate

LATENCY = {"metric": "t_pair_p50_down", "op": ">=", "line": 50.0, "value": 51.0, "margin": 1.0}
COUNT = {"metric": "nan_count", "op": "==", "line": 0.0, "unit": "count", "baseline": None}
NONE_COUNTED = {"value": 0.0, "margin": 0.0}


def interval(low: float, high: float) -> dict[str, Any]:
    drawn = {"confidence": 0.95, "resamples": 1000, "seed": 42, "samples": 50}
    return {"low": low, "high": high, **drawn}


def doubted(low: float, high: float) -> dict[str, Any]:
    return {"status": "inconclusive", "reason": "doubt", "interval": interval(low, high)}


def complaints(folder: Path, quantities: dict[str, float], verdict: dict[str, Any]) -> list[str]:
    """What VERD001 says of the example's result with a verdict of these values."""
    path = examples.build(None, folder) / "artifacts" / "mini" / "K_T3B05_run1_log.json"
    file = json.loads(path.read_text())
    file["verdicts"][0].update(verdict)
    file["results"][0]["provenance"]["quantities"] = quantities
    path.write_text(json.dumps(file))
    report = validate([path], select=["VERD001"])
    assert not report.skipped
    return [f"{finding.found} -> {finding.expected}" for finding in report.findings]


@pytest.mark.parametrize(
    ("verdict", "complaint"),
    [
        ({"interval": interval(50.5, 52.0)}, []),
        ({"interval": None}, ["pass: 51 >= 50, once -> inconclusive"]),
        (
            {"interval": interval(48.0, 53.0)},
            ["pass: 51 >= 50, interval 48 to 53 -> inconclusive"],
        ),
        (doubted(48.0, 53.0), []),
        (doubted(50.5, 52.0), ["inconclusive: 51 >= 50, interval 50.5 to 52 -> pass"]),
        (
            {"unit": "ms", "interval": interval(50.5, 52.0)},
            ["t_pair_p50_down >= ... ms -> t_pair_p50_down >= ... %"],
        ),
    ],
)
def test_a_latency_passes_only_with_its_whole_interval(
    tmp_path: Path, verdict: dict[str, Any], complaint: list[str]
) -> None:
    assert complaints(tmp_path, {}, {**LATENCY, **verdict}) == complaint


@pytest.mark.parametrize(
    ("quantities", "verdict", "complaint"),
    [
        ({"nan_count": 0.0}, NONE_COUNTED, []),
        ({"nan_count": 3.0}, NONE_COUNTED, ["nan_count: 0 -> 3"]),
        ({}, NONE_COUNTED, ["nan_count: 0 -> null, as it was not measured"]),
        (
            {"nan_count": 3.0},
            {"value": 3.0, "margin": 0.0, "status": "fail", "reason": "3 is not == 0"},
            ["0 -> -3, from the value to the line"],
        ),
        (
            {},
            {"value": None, "margin": None, "status": "fail", "reason": "not measured"},
            [],
        ),
        (
            {"nan_count": 0.0},
            {**NONE_COUNTED, "task": "K-2"},
            ["K-2 -> K-1, whose result this is"],
        ),
    ],
)
def test_a_quantity_is_the_one_that_was_measured(
    tmp_path: Path, quantities: dict[str, float], verdict: dict[str, Any], complaint: list[str]
) -> None:
    assert complaints(tmp_path, quantities, {**COUNT, **verdict}) == complaint
