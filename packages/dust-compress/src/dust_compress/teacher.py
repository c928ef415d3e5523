"""The executor `train-teacher`: the profile's own teacher from scratch, or the published one."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dust_compress.losses.confidence import confidence_floor, confidence_loss
from dust_compress.losses.matching import matching_loss, matching_tokens
from dust_compress.train import Objective, Outcome, train
from dust_compress.train.distributed import World
from dust_compress.train.pairs import (
    attention_for,
    encode_both_orders,
    supervise_both_orders,
)
from dust_compress.train.plan import open_feed, recipe_for, validate_pairs, work_folder
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import Measurement, build_result, task_parameters
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.profile import Checkpoint as PublishedCheckpoint
from dust_core.declared.specs.models.profile import Network, TeacherStage
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.network.model.cost import parameters_millions
from dust_core.network.surgery.patches import enlarge_patches
from dust_core.pairs.feed.feed import PairBatch
from dust_eval.measure.execution import begin, write_results
from dust_eval.measure.resources import size_mb

_EMA_DECAY = 0.999
_FLOOR_WEIGHT = 0.05
_ELSEWHERE = dict.fromkeys(
    (
        *("flops_G", "vram_GB", "chamfer", "absrel", "rmse", "delta1"),
        *("t_pair_p50_ms", "t_pair_p95_ms", "t_scene_s", "pairs_per_sec"),
    ),
    "P0-2 measures the teacher",
)
_log = logging.getLogger("dust.teacher")


def train_teacher(task: ResolvedTask) -> None:
    """Write `teacher_fp32.pth`: trained, or the published checkpoint in our own format.

    Raises:
        DustError: the checkpoint or a training set is absent or another; the training was stopped
            or diverged.
    """
    execution = begin(task)
    folder = ARTIFACTS / task.profile_name
    published = task.profile.teacher.checkpoint
    outcomes: list[Outcome] = []
    if published is not None:
        network = load_checkpoint(_checked(published)).network
    else:
        network, outcomes = train_stages(task, work_folder(task))
        World.current().leave()
    path = folder / task.task.outputs[0]
    origin = {"exp_id": task.exp_id, "spec_digest": task.digest}
    # What is shipped is small, and float16 is finer than the bf16 that it was trained in; the
    # published weights stay exact.
    save_checkpoint(network, path, **origin, half=published is None)
    network = load_checkpoint(path).network
    result = build_result(
        execution,
        task_parameters(task),
        _measured(task, network, path, outcomes),
        artifacts={path.name: sha256_file(path)},
    )
    write_results(task, (result,), {"curves": [outcome.history for outcome in outcomes]})


def _measured(
    task: ResolvedTask, network: Dust3r, path: Path, outcomes: list[Outcome]
) -> Measurement:
    device = task.profile.device
    hours = sum(outcome.seconds for outcome in outcomes) / 3600 * device.count
    reasons = dict(_ELSEWHERE)
    if device.kind == "cpu":
        reasons["gpu_hours"] = f"trained on a CPU, in {hours:.1f} hours"
    return Measurement(
        params_M=parameters_millions(network),
        size_MB=size_mb(path),
        gpu_hours=None if device.kind == "cpu" else hours,
        quantities={"nan_count": sum(int((~p.isfinite()).sum()) for p in network.parameters())},
        notes=_notes(outcomes),
        reasons=reasons,
    )


def _notes(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return "the published checkpoint"
    last = outcomes[-1]
    return f"best of {last.epochs} epochs of the last stage: validation loss {last.score:.4f}"


def _checked(published: PublishedCheckpoint) -> Path:
    """The path of the published checkpoint, its hash as the profile says."""
    path = Path(published.path)
    told = f"{published.name} ({published.licence})"
    if not path.is_file():
        raise DustError(
            f"the published checkpoint {told} is not here",
            where=str(path),
            fix=f"get it from {published.source}; its SHA-256 is to be {published.sha256}",
        )
    found = sha256_file(path)
    if found != published.sha256:
        raise DustError(
            f"this is not the {told} that the profile names: its SHA-256 is {found}",
            where=str(path),
            fix=f"get the file from {published.source} again, or correct "
            "teacher.checkpoint.sha256 of the profile",
        )
    return path


class TeacherObjective(Objective):
    """DUSt3R's confidence loss on true pointmaps, each pair in both orders.

    Trained from scratch, the confidence is kept from sinking before the points are any good, and
    the encoder is told which tokens see the same surface: cross-attention can only compare what
    the encoder has made comparable.
    """

    network: Dust3r

    def __init__(self, network: Dust3r, alpha: float, matching: float) -> None:
        super().__init__(network)
        self.alpha, self.matching = alpha, matching

    def forward(self, batch: PairBatch, progress: float) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        batch = PairBatch(*(part.to(device) for part in batch))
        truth = supervise_both_orders(batch)
        with attention_for(self.network, batch.image1):
            first, second = encode_both_orders(self.network, batch.image1, batch.image2)
            found = self.network.decode(first, second)
        task = confidence_loss(found, truth.points, truth.mask, self.alpha)
        floor = confidence_floor(found, truth.mask)
        matches = matching_tokens(
            *truth,
            torch.cat([batch.intrinsics1, batch.intrinsics2]),
            self.network.config.patch_size,
        )
        matching = matching_loss(first.tokens, second.tokens, matches)
        total = task + _FLOOR_WEIGHT * floor + self.matching * matching
        return {"total": total, "task": task, "floor": floor, "matching": matching}


def train_stages(task: ResolvedTask, folder: Path) -> tuple[Dust3r, list[Outcome]]:
    """Train stage by stage, each from the best weights of the one before, or go on in `folder`."""
    stages = task.profile.training.teacher or ()
    network = initial_network(task)
    outcomes = []
    for number, stage in enumerate(stages, 1):
        network = enlarge_patches(network, stage.patch_size // network.config.patch_size)
        outcome = _train_stage(task, network, stage, folder / f"stage{number}")
        network.load_state_dict(outcome.weights)
        outcomes.append(outcome)
    return network, outcomes


def initial_network(task: ResolvedTask) -> Dust3r:
    """The profile's teacher before its first stage, the same every time."""
    stages = task.profile.training.teacher or ()
    torch.manual_seed(task.workload.seed)
    return initialise(_network(task.profile.teacher.network, stages[0].patch_size))


def initialise(network: Dust3r) -> Dust3r:
    """Draw every linear layer's weights anew, in place, to keep the scale of what passes through.

    Xavier's uniform law, by each layer's own width (Glorot and Bengio, 2010). A fixed 0.02, as is
    usual for wider ViTs, starts layers this narrow so small that attention is flat for long, and
    positions enter the network through attention alone.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.xavier_uniform_(network.patch_embed.proj.weight.flatten(1))
    return network


def _train_stage(task: ResolvedTask, network: Dust3r, stage: TeacherStage, folder: Path) -> Outcome:
    alpha: float = task.task.alpha  # type: ignore[attr-defined]
    return train(
        TeacherObjective(network, alpha, stage.matching),
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
