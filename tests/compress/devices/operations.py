"""What a training runs on its device, on tiny networks: `OPERATIONS`, each from a place to values.

A place moves a network and a batch to a device. An operation returns tensors to compare.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, get_args

import torch
from torch import Tensor, nn

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("distill", "quantize", "train")]

import test_objective as distilling  # noqa: E402
import test_qat_objective as quantizing  # noqa: E402
import tiny_networks as tiny  # noqa: E402
import tiny_training as training  # noqa: E402

from dust_compress.quantize.network import quantize  # noqa: E402
from dust_compress.quantize.objective import QatObjective  # noqa: E402
from dust_compress.teacher import TeacherObjective  # noqa: E402
from dust_compress.train import Objective  # noqa: E402
from dust_compress.train.averaging import moving_average  # noqa: E402
from dust_compress.train.optimiser import Optimisers  # noqa: E402
from dust_core.declared.specs import load_specs, resolve  # noqa: E402
from dust_core.declared.specs.models.baseline import TrainTeacher  # noqa: E402
from dust_core.declared.specs.models.distill import TeachingLoss  # noqa: E402
from dust_core.declared.specs.models.quant import QatTask  # noqa: E402
from dust_core.pairs.feed.feed import PairBatch  # noqa: E402

SPECS = load_specs(TESTS.parents[1] / "specs")
KL_TERMS = get_args(TeachingLoss.model_fields["kl"].annotation)


class Place(Protocol):
    """Moves to a device."""

    def network(self, network: nn.Module) -> nn.Module:
        """The network, with all its parameters and buffers there."""

    def tensor(self, tensor: Tensor) -> Tensor:
        """The tensor there."""


Run = Callable[[], list[Tensor]]
Operation = Callable[[Place], Run]
"""Prepares on the CPU, moves to the place, and gives what runs there."""


def forward(place: Place) -> Run:
    """A pair through either head, whole and encoded once."""
    networks = [place.network(tiny.make(config)) for config in (tiny.LINEAR, tiny.DPT)]
    images = [place.tensor(image) for image in tiny.images()]

    def run() -> list[Tensor]:
        values: list[Tensor] = []
        with torch.no_grad():
            for network in networks:
                values += network(*images)
                values += network.decode(*map(network.encode, images))
        return values

    return run


def learn(place: Place, objective: Objective, batch: PairBatch, *progress: float) -> Run:
    """The loss of a batch and the gradients of the network, at each moment of a training."""
    for network in (objective.network, *getattr(objective, "_teacher", ())):
        place.network(network)
    moved = PairBatch(*map(place.tensor, batch))

    def run() -> list[Tensor]:
        losses = [objective(moved, moment)["total"] for moment in progress]
        for loss in losses:
            loss.backward()
        gradients = [p.grad for p in objective.network.parameters() if p.grad is not None]
        return [*(loss.detach() for loss in losses), *gradients]

    return run


def teach(place: Place) -> Run:
    """The teacher's loss, with the matching term."""
    task = resolve(SPECS, "P0-teacher", "small").task
    assert isinstance(task, TrainTeacher)
    return learn(place, TeacherObjective(tiny.make(), task, 1.0), quantizing.batch(), 0.1)


def distil(kl: str) -> Operation:
    """A student's loss with one form of the KL term and the feature term."""

    def prepare(place: Place) -> Run:
        objective = distilling.objective(gamma=0.1, kl=kl)
        return learn(place, objective, distilling.batch(), 0.1)

    return prepare


def quantized(place: Place) -> Run:
    """Training with quantizers, off and on."""
    task = resolve(SPECS, "Q-2", "ci").task
    assert isinstance(task, QatTask)
    network = tiny.make()
    quantize(network, tiny.policy(), tiny.run)
    return learn(place, QatObjective(network, task), quantizing.batch(), 0.1, 0.9)


def step(place: Place) -> Run:
    """Clipping, a step of Muon and AdamW, and the average."""
    network = place.network(tiny.make())

    def run() -> list[Tensor]:
        weights = list(network.parameters())
        averaged = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.grad = torch.full_like(weight, 0.01)
        nn.utils.clip_grad_norm_(weights, 1.0)
        Optimisers(network, training.PLAN).step(1e-3)
        moving_average(0.9)(averaged, [weight.detach() for weight in weights], 3)
        return [*(weight.detach() for weight in weights), *averaged]

    return run


OPERATIONS: dict[str, Operation] = {
    "forward": forward,
    "teach": teach,
    **{f"distil by {kl}": distil(kl) for kl in KL_TERMS},
    "train with quantizers": quantized,
    "step": step,
}
