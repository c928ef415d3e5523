"""Products are in bf16 where the processor has it, and in FP32 elsewhere."""

from collections.abc import Iterator

import pytest
import torch

from dust_compress.train import Outcome
from dust_compress.train import precision as precisions
from dust_compress.train.origin import Origin
from dust_compress.train.outcome import how_it_went
from dust_compress.train.precision import computes_in_bf16, products_in

CPU = torch.device("cpu")


@pytest.fixture(params=[{}, {"avx512_bf16": True}, {"amx_bf16": True}, {"avx512_bf16": False}])
def capabilities(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, bool]]:
    """A processor with these instructions in place of the one at hand."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: request.param)
    precisions._cpu_has_bf16.cache_clear()
    yield request.param
    precisions._cpu_has_bf16.cache_clear()


def product(precision: str) -> torch.dtype:
    with products_in(precision, CPU):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_a_recipe_in_bf16_computes_in_what_the_processor_has(capabilities: dict[str, bool]) -> None:
    narrow = any(capabilities.values())
    assert computes_in_bf16(CPU) is narrow
    assert product("bf16") is (torch.bfloat16 if narrow else torch.float32)


def test_a_recipe_in_fp32_stays_in_fp32(capabilities: dict[str, bool]) -> None:
    assert product("fp32") is product("float32") is torch.float32


@pytest.mark.parametrize("widened", [True, False])
def test_the_record_says_that_a_training_was_in_fp32_instead(widened: bool) -> None:
    outcome = Outcome(
        weights={}, score=0.5, best_epoch=2, epochs=3, stopped_early=False, history=[],
        seconds=1.0, widened=widened, origin=Origin("cpu", "a processor", "2.13", None),
    )  # fmt: skip
    assert ("trained in FP32" in how_it_went((outcome,))) is widened
