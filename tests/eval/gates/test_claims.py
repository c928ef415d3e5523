"""What figures say of the claims of a hypothesis: held, refuted or undecided."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample

from dust_core.declared.records import Result, ResultFile
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.ablation import Claim
from dust_eval.gates.claims import ClaimOutcome, claim_outcomes, claim_text, hypothesis_outcome
from dust_eval.gates.stage import judge_task

SET = load_specs(Path(__file__).parents[3] / "specs")
NAMES = {"noLN": "ABL_KEEP_noLN_run1", "noSM": "ABL_KEEP_noSM_run1", "base": "ABL_KEEP_run1"}


def quality(first: float, second: float | None = None) -> dict[str, tuple[float, ...]]:
    """delta1 of two places with ten pairs each."""
    pairs = (*[first] * 10, *[first if second is None else second] * 10)
    return sample.per_pair() | {"delta1": pairs}


def network(name: str, pairs: dict[str, Any], p50: float = 100.0, **changes: Any) -> Result:
    task = resolve(SET, "ABL-1", "small")
    return sample.result(
        NAMES[name],
        task="ABL-1",
        quality=pairs,
        latency=sample.turns(p50, 200.0),
        role="reference" if name == "base" else "candidate",
        spec_digest=task.digest,
        workload_sha256=task.workload_digest,
        quantities={"nan_count": 0.0, "missing_variants": 0.0},
        **changes,
    )


def file_of(*networks: Result, teacher: float = 0.9) -> ResultFile:
    baseline = sample.result(
        sample.TEACHER, task="ABL-1", quality=quality(teacher), role="baseline", baselines={},
        artifacts={"teacher_fp32.pth": "4" * 64}, latency=sample.turns(200.0),
    )  # fmt: skip
    return sample.result_file(*networks, baseline, extra={"base": NAMES["base"]})


def outcome(file: ResultFile, **claim: Any) -> ClaimOutcome:
    task = resolve(SET, "ABL-1", "small")
    declared = task.task.model_copy(update={"claims": (Claim(**claim),)})
    changed: ResolvedTask = replace(task, task=declared)
    (only,) = claim_outcomes(changed, file, judge_task(changed, {"ABL-1": file}))
    return only


MORE = {"metric": "delta1_drop", "of": "noLN", "against": "noSM", "op": ">", "value": 0}


@pytest.mark.parametrize(
    ("norm", "softmax", "expected"),
    [
        (quality(0.80, 0.70), quality(0.85, 0.80), "held"),
        (quality(0.85, 0.80), quality(0.80, 0.70), "refuted"),
        (quality(0.80, 0.80), quality(0.85, 0.78), "undecided"),
    ],
)
def test_a_claim_of_quality_needs_both_places_on_one_side(
    norm: dict[str, Any], softmax: dict[str, Any], expected: str
) -> None:
    judged = outcome(file_of(network("noLN", norm), network("noSM", softmax)), **MORE)
    assert judged.outcome == expected
    assert (judged.reason == "the interval straddles 0 %") == (expected == "undecided")


@pytest.mark.parametrize(
    ("op", "expected"), [("<=", "held"), ("<", "refuted"), (">=", "held"), (">", "refuted")]
)
def test_each_comparison_means_what_it_says(op: str, expected: str) -> None:
    file = file_of(network("noLN", quality(0.8), 200.0), network("base", quality(0.8), 200.0))
    claim = {"metric": "t_pair_p50_down", "of": "noLN", "against": "base", "op": op}
    assert outcome(file, **claim, value=0).outcome == expected


def test_latency_is_compared_turn_by_turn() -> None:
    file = file_of(network("noLN", quality(0.8), 180.0), network("base", quality(0.8), 200.0))
    claim = {"metric": "t_pair_p50_down", "of": "noLN", "against": "base", "op": "<="}
    judged = outcome(file, **claim, value=5)
    assert judged.value == pytest.approx(10)
    assert judged.interval is not None and judged.interval.low > 5
    assert judged.outcome == "refuted"


def test_a_drop_is_lowered_by_its_share_of_the_other_drop() -> None:
    # The teacher has .9; the drops are 10 and 20 points of a hundred, so half of it is gone.
    file = file_of(network("noLN", quality(0.8)), network("noSM", quality(0.7)))
    claim = {"metric": "delta1_drop_down", "of": "noLN", "against": "noSM", "op": ">="}
    assert outcome(file, **claim, value=49).outcome == "held"
    judged = outcome(file, **claim, value=51)
    assert judged.value == pytest.approx(50)
    assert judged.outcome == "refuted"


def test_without_a_drop_there_is_none_to_lower() -> None:
    file = file_of(network("noLN", quality(0.8)), network("noSM", quality(0.95)))
    judged = outcome(file, metric="delta1_drop_down", of="noLN", against="noSM", op=">=", value=20)
    assert (judged.outcome, judged.value) == ("undecided", None)
    assert judged.reason == "there is no drop to lower: delta1 is not below that of the teacher"


def test_one_place_decides_nothing() -> None:
    few = [{name: values[:4] for name, values in quality(own).items()} for own in (0.7, 0.8)]
    judged = outcome(file_of(network("noLN", few[0]), network("noSM", few[1])), **MORE)
    assert judged.value == pytest.approx(12.5)
    assert judged.outcome == "undecided" and "one place" in str(judged.reason)


def test_what_was_not_measured_decides_nothing() -> None:
    judged = outcome(file_of(network("noLN", quality(0.8))), **MORE)
    assert (judged.outcome, judged.reason) == ("undecided", "noSM was not measured")


def test_what_is_no_evidence_decides_nothing() -> None:
    of_dirty_tree = network("noLN", quality(0.8), dirty=True)
    judged = outcome(file_of(of_dirty_tree, network("noSM", quality(0.85))), **MORE)
    assert judged.outcome == "undecided"
    assert judged.value is not None and "differs from its commit" in str(judged.reason)


def test_a_variant_may_be_the_base() -> None:
    file = file_of(network("noLN", quality(0.8)), network("noSM", quality(0.85)))
    file = file.model_copy(update={"extra": {"base": NAMES["noSM"]}})
    assert outcome(file, **MORE | {"against": "base"}).outcome == "held"


def test_a_hypothesis_is_as_good_as_its_claims() -> None:
    file = file_of(network("noLN", quality(0.8)), network("noSM", quality(0.85)))
    held, refuted = outcome(file, **MORE), outcome(file, **MORE | {"op": "<"})
    doubtful = outcome(file, **MORE | {"against": "base"})
    assert hypothesis_outcome([held, held]) == "held"
    assert hypothesis_outcome([held, doubtful]) == "undecided"
    assert hypothesis_outcome([held, doubtful, refuted]) == "refuted"
    assert hypothesis_outcome([]) == "undecided"
    assert claim_text(held).startswith("delta1_drop of noLN against noSM: 5.88 % [")
    assert claim_text(held).endswith("predicted > 0 %: held")
