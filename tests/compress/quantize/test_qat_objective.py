"""What quantization-aware training minimises: the terms, the target and the share of its spec."""

from pathlib import Path

import torch
from tiny_networks import images, make, policy, run

from dust_compress.quantize.network import quantize
from dust_compress.quantize.objective import QatObjective
from dust_core.declared.specs import load_specs, resolve
from dust_core.declared.specs.models.quant import QatTask
from dust_core.pairs.feed.feed import PairBatch

ROOT = Path(__file__).parents[3]


def batch() -> PairBatch:
    generator = torch.Generator().manual_seed(0)
    depths = 1 + torch.rand(2, 1, 64, 64, generator=generator)
    intrinsics = torch.tensor([[[60.0, 0, 31.5], [0, 60.0, 31.5], [0, 0, 1]]])
    pose = torch.eye(4)[None]
    pose[:, 0, 3] = 0.2
    return PairBatch(*images(), *depths, intrinsics, intrinsics, pose)


def parts(progress: float, **loss: float) -> dict[str, float]:
    """The parts of the loss of Q-2's schedule with other terms."""
    schedule = resolve(load_specs(ROOT / "specs"), "Q-2", "ci").task
    assert isinstance(schedule, QatTask)
    changed = schedule.model_copy(update={"loss": schedule.loss.model_copy(update=loss)})
    network = make()
    quantize(network, policy(), run)
    values = QatObjective(network, changed)(batch(), progress)
    return {name: float(value.detach()) for name, value in values.items()}


def test_the_float_network_is_its_own_target_until_quantizers_are_on() -> None:
    early, late = parts(0.6), parts(0.7)  # the last third of the epochs has them
    assert abs(early["kl"]) < 1e-5 < late["kl"]


def test_each_term_is_the_declared_one() -> None:
    declared = parts(0.9)
    for beta in (0.0, 0.5, 1.0):
        values = parts(0.9, beta=beta)
        expected = (1 - beta) * declared["task"] + beta * declared["kl"]
        assert abs(values["total"] - expected) < 1e-4 * abs(expected)
    assert parts(0.9, alpha=0.4)["task"] != declared["task"]
    assert parts(0.9, T=3)["kl"] != declared["kl"]
    assert parts(0.9, confidence_clamp=1.5)["kl"] != declared["kl"]
