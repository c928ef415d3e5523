"""A finished training is kept, carried, and taken instead of trained again."""

import sys
from pathlib import Path

import pytest
import torch

from dust_compress.train.finished import carry_finished, load_finished, save_finished
from dust_compress.train.loop import Outcome
from dust_compress.train.origin import Origin, origin_of
from dust_core.errors import DustError

sys.path.insert(0, str(Path(__file__).parent))

import tiny_training as tiny


def outcome(**changes) -> Outcome:
    weights = {"w": torch.tensor([1.0, 1 / 3]), "steps": torch.tensor(3)}
    values = {
        "weights": weights, "score": 0.25, "best_epoch": 2, "epochs": 3, "stopped_early": False,
        "history": [{"epoch": 1.0, "score": 0.5}], "seconds": 12.5, "widened": False,
        "origin": Origin("cuda", "a GPU", "2.11.0", "0" * 64), "skipped": 1,
    }  # fmt: skip
    return Outcome(**{**values, **changes})


def test_what_was_kept_is_what_comes_back(tmp_path):
    (tmp_path / "state.pt").touch()
    save_finished(tmp_path, tiny.PLAN, outcome())
    assert not (tmp_path / "state.pt").exists()
    back = load_finished(tmp_path, tiny.PLAN)
    assert {**vars(back), "weights": None} == {**vars(outcome()), "weights": None}
    assert all(torch.equal(back.weights[k], v) for k, v in outcome().weights.items())


def test_it_is_carried_at_half_the_bytes(tmp_path):
    save_finished(tmp_path / "a", tiny.PLAN, outcome())
    carry_finished(tmp_path / "a/finished.pt", tmp_path / "b/finished.pt")
    back = load_finished(tmp_path / "b", tiny.PLAN)
    assert back.weights["w"].dtype == torch.float32 and back.weights["steps"] == 3
    assert torch.equal(back.weights["w"], outcome().weights["w"].half().float())
    carry_finished(tmp_path / "a/finished.pt", tmp_path / "c/finished.pt", weights=False)
    assert load_finished(tmp_path / "c", tiny.PLAN).weights == {}


def test_nothing_finished_is_none(tmp_path):
    assert load_finished(tmp_path, tiny.PLAN) is None


def test_another_plan_or_a_damaged_file_is_one_message(tmp_path):
    from dataclasses import replace

    save_finished(tmp_path, tiny.PLAN, outcome())
    with pytest.raises(DustError, match=r"another plan.*learning_rate"):
        load_finished(tmp_path, replace(tiny.PLAN, learning_rate=0.7))
    (tmp_path / "finished.pt").write_bytes(b"none")
    with pytest.raises(DustError, match="not a finished training"):
        load_finished(tmp_path, tiny.PLAN)


def test_an_origin_is_plain_and_names_the_processor():
    origin = origin_of(torch.device("cpu"))
    assert type(origin.torch) is str and origin.kind == "cpu" and origin.device
