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
    provenance = file["results"][0]["provenance"]
    provenance["quantities"] = quantities
    # 51 % above the candidate, as the verdicts on latency say.
    samples = provenance["latency"]["candidate_ms"]
    provenance["latency"]["baseline_ms"] = [sample / 0.49 for sample in samples]
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
            {"value": 3.0, "margin": 0.0, "status": "fail", "reason": "3 is not 0"},
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


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({}, ["inconclusive: 0.41887 <= 1 -> pass"]),
        ({"dirty": True}, []),
        ({"draft": True}, []),
    ],
)
def test_a_draft_or_a_dirty_tree_may_be_inconclusive_whatever_its_value(
    tmp_path: Path, state: dict[str, bool], complaint: list[str]
) -> None:
    verdict = {"status": "inconclusive", "reason": "not committed"}
    path = edited(tmp_path, verdict, state)
    assert told(path, "VERD001") == complaint
    assert told(path, "VERD003") == []


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ({"dirty": True}, True),
        ({"draft": True}, True),
        ({"dirty": True, "measuring_code": None}, False),
        ({"draft": True, "measuring_code": None}, True),
        ({}, False),
    ],
)
def test_a_draft_or_a_dirty_tree_does_not_pass_since_code_is_recorded(
    tmp_path: Path, state: dict[str, Any], *, seen: bool
) -> None:
    path = edited(tmp_path, {}, state)
    assert bool(told(path, "VERD003")) == seen
    if seen:
        profile = path.parents[2] / "specs" / "profiles" / "mini.yaml"
        text = profile.read_text().replace("quotable: true", "quotable: false")
        profile.write_text(text)
        assert told(path, "VERD003") == []


def edited(folder: Path, verdict: dict[str, Any], state: dict[str, Any]) -> Path:
    """The example's result with another verdict and another state of its sources."""
    path = examples.build(None, folder) / "artifacts" / "mini" / "K_T3B05_run1_log.json"
    file = json.loads(path.read_text())
    file["verdicts"][0].update(verdict)
    for result in file["results"]:
        result["provenance"].update(state)
    path.write_text(json.dumps(file))
    return path


def told(path: Path, rule: str) -> list[str]:
    report = validate([path], select=[rule])
    return [f"{finding.found} -> {finding.expected}" for finding in report.findings]
