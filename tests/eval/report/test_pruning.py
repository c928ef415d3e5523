"""The section on pruning: steps of the whole network, and what each layer costs alone."""

from typing import Any

from dust_core.declared.records import ResultFile
from dust_eval.report.pruning import pruning, pruning_view

ROW = {"stack": "encoder", "rho": 0.3, "removed": 0.25, "loss": 0.6}
ROWS = [
    {**ROW, "kind": "channels", "block": None, "delta1": 0.4, "drop_percent": 43.25},
    {**ROW, "kind": "heads", "block": 3, "delta1": 0.6, "drop_percent": -7.5},
    {**ROW, "kind": "ffn", "block": 0, "not_judged": "no scale"},
]
STEPS = {"teacher": {"delta1": 0.67}, "cut": {"drop_percent": 41.0}, "fine_tuned": {"loss": 0.5}}


def file_with(**extra: Any) -> ResultFile:
    return ResultFile.model_construct(results=[], extra=extra)


def test_every_layer_has_a_row_in_order_and_a_drop_where_one_was_judged() -> None:
    view = pruning_view("P-2", "Prune", file_with(sensitivity=ROWS, validation=STEPS))
    assert view is not None
    assert [(layer.name, layer.drop) for layer in view.layers] == [
        ("encoder: channels", 43.25),
        ("encoder, block 3: heads", -7.5),
        ("encoder, block 0: ffn", None),
    ]
    assert view.steps == (("after the cut", 41.0), ("after fine-tuning", None))
    drawn = pruning(view)
    assert 'aria-label="Sensitivity of P-2"' in drawn


def test_tasks_that_prune_nothing_have_no_picture() -> None:
    assert pruning_view("P-2", "Prune", None) is None
    assert pruning_view("K-1", "Distill", file_with()) is None
    assert pruning_view("Q-1", "Quantize", file_with(sensitivity={"layer": 1.0})) is None
