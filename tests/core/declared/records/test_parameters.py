from typing import Any

import pytest

from dust_core.declared.records import record_parameters
from dust_core.declared.specs.names import STANDARD_KEEP, parse_exp_id

NOTHING = {
    "rho": None, "T": None, "beta": None, "gamma": None,
    "bits_w": None, "bits_a": None, "keep_list": None,
}  # fmt: skip
W8A8 = {"bits_w": 8, "bits_a": 8, "keep_list": STANDARD_KEEP}
WITHOUT_SOFTMAX = tuple(family for family in STANDARD_KEEP if family != "softmax")


@pytest.mark.parametrize(
    ("exp_id", "built_on", "expected"),
    [
        ("P0_FP32_run1", [], {}),
        ("K_T3B05_sched_run1", [], {"T": 3.0, "beta": 0.5, "gamma": 0.0}),
        ("Q_QAT_keepLN_run1", [], W8A8),
        ("P_r010_run1", [], {"rho": 0.1}),
        (
            "KQ_INT8_run1",
            ["K_T5B05_run1", "Q_QAT_keepLN_run1"],
            {"T": 5.0, "beta": 0.5, "gamma": 0.0} | W8A8,
        ),
        (
            "ABL_KEEP_noSM_run1",
            ["Q_PTQ_keepLN_run1"],
            W8A8 | {"keep_list": WITHOUT_SOFTMAX},
        ),
        ("ABL_CALIB_n128_run1", ["Q_PTQ_keepLN_run1"], W8A8),
        ("ABL_LOSS_G01_run1", ["K_T3B05_run1"], {"T": 3.0, "beta": 0.5, "gamma": 0.1}),
    ],
)
def test_a_record_says_the_parameters_of_its_experiment(
    exp_id: str, built_on: list[str], expected: dict[str, Any]
) -> None:
    fields = record_parameters(parse_exp_id(exp_id), *map(parse_exp_id, built_on))
    combo = exp_id.split("_")[1]
    assert fields == {"exp_id": exp_id, "combo": combo} | NOTHING | expected


@pytest.mark.parametrize(
    ("exp_id", "built_on"),
    [
        ("KQ_INT8_run1", []),
        ("KQ_INT8_run1", ["K_T5B05_run1"]),
        ("KQ_INT8_run1", ["Q_QAT_keepLN_run1"]),
        ("ABL_LOSS_G01_run1", []),
        ("ABL_KEEP_noLN_run1", ["P_r010_run1"]),
    ],
)
def test_what_is_built_on_others_must_name_them(exp_id: str, built_on: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{exp_id}: say which experiments it is built on"):
        record_parameters(parse_exp_id(exp_id), *map(parse_exp_id, built_on))
