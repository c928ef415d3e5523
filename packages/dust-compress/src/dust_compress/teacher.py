"""The executor `train-teacher`: the profile's own teacher from scratch, or the published one."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from dust_compress.initial_teacher import config_of, initial_network
from dust_compress.losses.confidence import confidence_floor, confidence_loss
from dust_compress.losses.matching import matching_loss, matching_tokens
from dust_compress.train import Objective, Outcome
from dust_compress.train.compiled import compile_blocks
from dust_compress.train.distributed import all_ranks
from dust_compress.train.outcome import cost_of, how_it_went, trained_by, training_of
from dust_compress.train.pairs import (
    attention_for,
    encode_both_orders,
    supervise_both_orders,
)
from dust_compress.train.task_training import train_by, work_folder
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import Measurement, build_result, task_parameters
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.baseline import TrainTeacher
from dust_core.declared.specs.models.profile import Checkpoint as PublishedCheckpoint
from dust_core.declared.specs.models.training import TeacherStage
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r, Features
from dust_core.network.model.cost import parameters_millions
from dust_core.network.surgery.patches import enlarge_patches
from dust_core.pairs.feed.feed import PairBatch
from dust_eval.measure.execution import begin, write_results
from dust_eval.measure.resources import non_finite_weights, size_mb

_ELSEWHERE = dict.fromkeys(
    (
        *("flops_G", "vram_GB", "chamfer", "absrel", "rmse", "delta1"),
        *("t_pair_p50_ms", "t_pair_p95_ms", "t_scene_s", "pairs_per_sec"),
    ),
    "P0-2 measures the teacher",
)
_log = logging.getLogger("dust.teacher")


def train_teacher(task: ResolvedTask) -> None:
    """Write `teacher_fp32.pth`: trained, or the published checkpoint in our format.

    Raises:
        DustError: the checkpoint or a training set is absent or not the declared one; the training
            was stopped or diverged.
    """
    execution = begin(task)
    path, outcomes = write_teacher(task)
    network = load_checkpoint(path, finite=False).network  # the line on NaN binds it
    result = build_result(
        trained_by(execution, outcomes),
        task_parameters(task),
        _measured(task, network, path, outcomes),
        artifacts={path.name: sha256_file(path)},
    )
    write_results(task, (result,), training_of(outcomes))


def write_teacher(task: ResolvedTask) -> tuple[Path, list[Outcome]]:
    """Train the teacher, or adopt the published one, and write its checkpoint.

    Raises:
        DustError: as `train_teacher`.
    """
    published = task.profile.teacher.checkpoint
    outcomes: list[Outcome] = []
    with all_ranks(task):
        if published is not None:
            network = _adopted(task, published)
        else:
            stages = task.profile.training.teacher or ()
            network, outcomes = train_stages(task, work_folder(task, stages))
    path = ARTIFACTS / task.profile_name / task.task.outputs[0]
    origin = {"exp_id": task.exp_id, "spec_digest": task.digest}
    # Shipped files should be small, and float16 is finer than the bf16 of the training. The
    # published weights stay exact.
    save_checkpoint(network, path, **origin, half=published is None)
    return path, outcomes


def _measured(
    task: ResolvedTask, network: Dust3r, path: Path, outcomes: list[Outcome]
) -> Measurement:
    gpu_hours, reasons = cost_of(task, outcomes)
    return Measurement(
        params_M=parameters_millions(network),
        size_MB=size_mb(path),
        gpu_hours=gpu_hours,
        quantities={"nan_count": non_finite_weights(path)},
        notes=how_it_went(outcomes) if outcomes else "the published checkpoint",
        reasons=_ELSEWHERE | reasons,
    )


def _adopted(task: ResolvedTask, published: PublishedCheckpoint) -> Dust3r:
    """The published network, with the shape that the profile declares."""
    network = load_checkpoint(_checked(published)).network
    shape = task.profile.teacher.network
    if network.config != config_of(shape, shape.patch_size):
        raise DustError(
            f"{published.name} does not have the shape that the profile declares",
            where=published.path,
            fix="compare teacher.network of the profile with `dust inspect` of the file",
        )
    return network


def _checked(published: PublishedCheckpoint) -> Path:
    """The path of the published checkpoint, after a check of its hash."""
    path = Path(published.path)
    named = f"{published.name} ({published.licence})"
    if not path.is_file():
        raise DustError(
            f"the published checkpoint {named} is not here",
            where=str(path),
            fix=f"get it from {published.source}; its SHA-256 must be {published.sha256}",
        )
    actual = sha256_file(path)
    if actual != published.sha256:
        raise DustError(
            f"this is not the {named} that the profile names: its SHA-256 is {actual}",
            where=str(path),
            fix=f"get the file from {published.source} again, or correct "
            "teacher.checkpoint.sha256 of the profile",
        )
    return path


class TeacherObjective(Objective):
    """DUSt3R's confidence loss on true pointmaps, each pair in both orders.

    In a training from scratch, the floor keeps the confidence from falling to 1 before the points
    are useful. The matching term trains the encoder to make tokens of the same surface similar:
    cross-attention needs that in order to compare them.

    Args:
        network: the network to train.
        task: the terms of the loss.
        matching: weight of the matching term in this stage.
    """

    network: Dust3r

    def __init__(self, network: Dust3r, task: TrainTeacher, matching: float) -> None:
        super().__init__(network)
        self.task, self.matching = task, matching
        self.compared = TeacherObjective._compared

    def forward(self, batch: PairBatch, progress: float) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        batch = PairBatch(*(part.to(device) for part in batch))
        with attention_for(self.network, batch.image1):
            first, second = encode_both_orders(self.network, batch.image1, batch.image2)
            outputs = self.network.decoder_outputs(first, second)
        return self.compared(self, batch, first, second, outputs)

    def compile_steps(self) -> None:
        compile_blocks(self.network)
        self.compared = torch.compile(self.compared, dynamic=False)

    def _compared(
        self,
        batch: PairBatch,
        first: Features,
        second: Features,
        outputs: tuple[list[Tensor], list[Tensor]],
    ) -> dict[str, Tensor]:
        """The loss of what the blocks make of the batch, and its parts."""
        truth = supervise_both_orders(batch)
        predicted = self.network.read_out(*outputs, first.grid, second.grid)
        task = confidence_loss(predicted, truth.points, truth.mask, self.task.alpha)
        floor = confidence_floor(predicted, truth.mask, self.task.floor.lowest)
        terms = self.task.matching
        matches = matching_tokens(
            *truth,
            torch.cat([batch.intrinsics1, batch.intrinsics2]),
            self.network.config.patch_size,
            same_surface=terms.same_surface,
        )
        matching = matching_loss(
            first.tokens,
            second.tokens,
            matches,
            channels=terms.channels,
            temperature=terms.temperature,
        )
        total = task + self.task.floor.weight * floor + self.matching * matching
        return {"total": total, "task": task, "floor": floor, "matching": matching}


def train_stages(task: ResolvedTask, folder: Path) -> tuple[Dust3r, list[Outcome]]:
    """Train stage by stage, each from the best weights of the last, or resume in `folder`."""
    stages = task.profile.training.teacher or ()
    network = initial_network(task)
    outcomes = []
    for number, stage in enumerate(stages, 1):
        network = enlarge_patches(network, stage.patch_size // network.config.patch_size)
        outcome = _train_stage(task, network, stage, folder / f"stage{number}")
        if outcome.weights:  # an earlier stage of a carried training has none
            network.load_state_dict(outcome.weights)
        outcomes.append(outcome)
    return network, outcomes


def _train_stage(task: ResolvedTask, network: Dust3r, stage: TeacherStage, folder: Path) -> Outcome:
    assert isinstance(task.task, TrainTeacher)
    objective = TeacherObjective(network, task.task, stage.matching)
    return train_by(task, stage, objective, epochs=stage.epochs, folder=folder)
