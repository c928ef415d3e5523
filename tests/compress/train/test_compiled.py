"""Compiled steps compute what plain steps do, and are compiled where it was asked for alone."""

import copy
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dust_compress.train import Objective
from dust_compress.train.compiled import compiled_steps, trains_compiled
from dust_compress.train.origin import origin_of
from dust_core.errors import DustError
from dust_core.network.model.blocks import DecoderBlock, EncoderBlock

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("devices", "distill", "quantize", "train")]

import operations  # noqa: E402
import test_objective as distilling  # noqa: E402
import tiny_networks as tiny  # noqa: E402
import tiny_training as training  # noqa: E402

from dust_compress.teacher import TeacherObjective  # noqa: E402
from dust_compress.train.loop import train  # noqa: E402


class Here:
    """The CPU, as a place of `operations`."""

    def network(self, network: torch.nn.Module) -> torch.nn.Module:
        return network

    def tensor(self, tensor: Tensor) -> Tensor:
        return tensor


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compile to the traced operations: it takes seconds where kernels take a minute."""
    compiled: list[str] = []
    plain = torch.compile

    def recorded(work: Any, **options: Any) -> Any:
        owner = getattr(work, "__self__", None)
        compiled.append(owner.__class__.__name__ if owner else work.__qualname__.partition(".")[0])
        return plain(work, **options | {"backend": "aot_eager"})

    monkeypatch.setattr(torch, "compile", recorded)
    return compiled


def teacher_objective() -> TeacherObjective:
    task = operations.resolve(operations.SPECS, "P0-teacher", "small").task
    torch.manual_seed(0)
    return TeacherObjective(tiny.make(), task, 1.0)


OBJECTIVES = {
    "teacher": teacher_objective,
    **{kl: partial(distilling.objective, gamma=0.1, kl=kl) for kl in operations.KL_TERMS},
}


def step(objective: Objective) -> list[Tensor]:
    return operations.learn(Here(), objective, distilling.batch(), 0.1)()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_compiled_step_has_the_losses_and_gradients_of_a_plain_one(
    name: str, traced: list[str]
) -> None:
    plain = step(OBJECTIVES[name]())
    objective = OBJECTIVES[name]()
    objective.compile_steps()
    for ours, theirs in zip(step(objective), plain, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)
    assert traced[-1] == type(objective).__name__
    blocks = {"EncoderBlock", "DecoderBlock"}
    assert blocks & set(traced) == (set() if name == "attention" else blocks)


def test_a_copy_of_a_compiled_network_is_plain_and_has_the_same_names(traced: list[str]) -> None:
    objective = teacher_objective()
    names = set(objective.network.state_dict())
    objective.compile_steps()
    average = copy.deepcopy(objective.network)
    assert set(average.state_dict()) == names == set(objective.network.state_dict())
    for network, compiled in ((objective.network, True), (average, False)):
        blocks = [m for m in network.modules() if isinstance(m, EncoderBlock | DecoderBlock)]
        assert blocks and {b._compiled_call_impl is not None for b in blocks} == {compiled}


@pytest.mark.parametrize("asked", [False, True])
def test_a_training_compiles_where_it_was_asked_to_and_says_so(
    asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, calls = training.Regression(), []
    monkeypatch.setattr(objective, "compile_steps", lambda: calls.append(1))
    with compiled_steps() if asked else nullcontext():
        assert trains_compiled() == asked
        outcome = train(objective, training.Stream(), training.PLAN, tmp_path, training.validate)
    assert not trains_compiled()
    assert len(calls) == asked
    assert outcome.origin.compiled == asked
    assert outcome.origin.sentence.endswith(", compiled") == asked


def test_without_a_compiler_it_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(DustError, match="there is no no-such-compiler") as caught, compiled_steps():
        pass
    assert "without --compile" in caught.value.fix
    assert not trains_compiled()


def test_a_compiler_that_fails_is_one_message() -> None:
    from torch._dynamo.exc import TorchDynamoException

    said = "cannot be compiled here: no kernel"
    with pytest.raises(DustError, match=said) as caught, compiled_steps():
        raise TorchDynamoException("no kernel\nSet TORCH_LOGS for more")
    assert "without --compile" in caught.value.fix
    assert not trains_compiled()


def test_an_origin_of_before_was_not_compiled() -> None:
    assert not origin_of(torch.device("cpu")).compiled
