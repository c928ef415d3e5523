"""The executor `train-teacher`: the profile's own teacher from scratch, or the published one."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dust_compress.losses.confidence import confidence_loss
from dust_compress.train import Objective, Outcome, train
from dust_compress.train.pairs import predict_both_orders, supervise_both_orders
from dust_compress.train.plan import open_feed, recipe_for, validate_pairs
from dust_core.data.feed import PairBatch
from dust_core.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.model.patches import enlarge_patches
from dust_core.specs import ResolvedTask
from dust_core.specs.models.profile import Network, TeacherStage

_EMA_DECAY = 0.999
_INITIAL_STD = 0.02
_log = logging.getLogger("dust.teacher")


class TeacherObjective(Objective):
    """DUSt3R's confidence loss on true pointmaps, each pair in both orders."""

    network: Dust3r

    def __init__(self, network: Dust3r, alpha: float) -> None:
        super().__init__(network)
        self.alpha = alpha

    def forward(self, batch: PairBatch, progress: float) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        truth = supervise_both_orders(PairBatch(*(part.to(device) for part in batch)))
        found = predict_both_orders(self.network, batch.image1.to(device), batch.image2.to(device))
        return {"total": confidence_loss(found, truth.points, truth.mask, self.alpha)}


def train_stages(task: ResolvedTask, folder: Path) -> tuple[Dust3r, list[Outcome]]:
    """Train stage by stage, each from the best weights of the one before, or go on in `folder`."""
    stages = task.profile.training.teacher or ()
    torch.manual_seed(task.workload.seed)
    network = initialise(_network(task.profile.teacher.network, stages[0].patch_size))
    outcomes = []
    for number, stage in enumerate(stages, 1):
        network = enlarge_patches(network, stage.patch_size // network.config.patch_size)
        outcome = _train_stage(task, network, stage, folder / f"stage{number}")
        network.load_state_dict(outcome.weights)
        outcomes.append(outcome)
    return network, outcomes


def initialise(network: Dust3r) -> Dust3r:
    """Draw every linear layer's weights anew, as ViTs are (arXiv:2010.11929), in place."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=_INITIAL_STD)
            nn.init.zeros_(module.bias)
    return network


def _train_stage(task: ResolvedTask, network: Dust3r, stage: TeacherStage, folder: Path) -> Outcome:
    alpha: float = task.task.alpha  # type: ignore[attr-defined]
    return train(
        TeacherObjective(network, alpha),
        open_feed(task, stage),
        recipe_for(task, stage, epochs=stage.epochs, ema_decay=_EMA_DECAY),
        folder,
        validate_pairs(task, stage.side),
        torch.device(task.profile.device.kind),
    )


def _network(shape: Network, patch_size: int) -> Dust3r:
    values: dict[str, Any] = shape.model_dump(exclude={"dpt", "patch_size"})
    if shape.dpt is not None:
        values["dpt"] = DptConfig(**shape.dpt.model_dump())
    return Dust3r(Dust3rConfig.uniform(**values, patch_size=patch_size))
