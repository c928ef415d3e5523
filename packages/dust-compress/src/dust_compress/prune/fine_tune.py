"""The part of P4 that computes on the device: choose, cut, refit, fine-tune."""

import logging
import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dust_compress.distill.objective import DistillObjective, Weights
from dust_compress.distill.students import at_training_patches, plain_pairs
from dust_compress.prune.saliency import saliency_by
from dust_compress.prune.sensitivity import Judge, sensitivity
from dust_compress.train import Outcome
from dust_compress.train.distributed import device_of
from dust_compress.train.finished import is_finished
from dust_compress.train.task_training import train_by, work_folder
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.prune import PruneCommon, PruneTask
from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_core.network.surgery.axes import Axis, axes_of
from dust_core.network.surgery.patches import enlarge_patches
from dust_core.network.surgery.prune import Kept, choose_units, importances, prune
from dust_core.network.surgery.refit import refit

_log = logging.getLogger("dust.prune")


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """A pruned and fine-tuned network, and how it became that.

    Attributes:
        network: with the teacher's patches and the best weights by validation.
        outcome: of the fine-tuning.
        steps: validation of the teacher, after the cut, after the refit, and after fine-tuning.
        sensitivity: the teacher's drop by layer, each cut alone.
    """

    network: Dust3r
    outcome: Outcome
    steps: dict[str, dict[str, Any]]
    sensitivity: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What leaves a network and what stays.

    Attributes:
        axes: along which units may leave.
        importance: of each unit, by axis.
        kept: the units that stay, by axis.
    """

    axes: list[Axis]
    importance: dict[str, Tensor]
    kept: Kept


def train_pruned(task: ResolvedTask, teacher: Dust3r) -> Pruned:
    """Prune the teacher by the task's rho and fine-tune what stays, on the profile's device.

    Where the training patches are smaller than the network's, all of it happens at the smaller
    ones, and the network is enlarged afterwards.

    Raises:
        DustError: the targets hold less than rho; a training set is absent or damaged; the
            training was stopped or diverged.
    """
    own, common = task.task, task.common
    assert isinstance(own, PruneTask) and isinstance(common, PruneCommon)
    recipe, device = task.profile.training.prune, device_of(task)
    guide = at_training_patches(teacher, recipe).to(device)
    judge = Judge(task, recipe, guide)
    cut = choose_cut(task, guide)
    kept = cut.kept
    learner = prune(guide, kept)
    steps = {"teacher": judge.teacher, "cut": judge(learner)}
    folder = work_folder(task, recipe, teacher)
    if not is_finished(folder):  # a finished fine-tuning needs no start, and no training pairs
        fitted = refitted(task, learner, guide, kept)
        steps["refitted"] = judge(fitted)
        # Few pairs can fit a gentle cut to less than it has. A cut that cannot be judged is no
        # start.
        if steps["refitted"].get("loss", math.inf) <= steps["cut"].get("loss", math.inf):
            learner = fitted
    weights = Weights(temperature=common.T, beta=common.beta, gamma=0.0)
    objective = DistillObjective(learner, guide, common.loss, weights)
    outcome = train_by(
        task, recipe, objective, epochs=own.epochs, patience=own.patience, folder=folder
    )
    learner.load_state_dict(outcome.weights)
    steps["fine_tuned"] = judge(learner)
    layers = sensitivity(judge, guide, cut.axes, cut.importance, own.rho, common.multiple)
    for step, measured in steps.items():
        _log.info("%s: %s", step, _in_words(measured))
    factor = teacher.config.patch_size // guide.config.patch_size
    network = enlarge_patches(learner, factor, detail=prune(teacher, kept))
    return Pruned(network=network, outcome=outcome, steps=steps, sensitivity=layers)


def choose_cut(task: ResolvedTask, guide: Dust3r) -> Cut:
    """What the task's criterion takes out of the teacher.

    Args:
        guide: the teacher with the patches of the training.

    Raises:
        DustError: the targets hold less than rho; the training set is absent or damaged, where the
            criterion reads it.
    """
    own, common = task.task, task.common
    assert isinstance(own, PruneTask) and isinstance(common, PruneCommon)
    axes = [axis for axis in axes_of(guide.config) if axis.kind in common.targets]
    importance = importances(saliency_by(task, guide, common, task.profile.training.prune), axes)
    try:
        kept = choose_units(
            guide.config,
            axes,
            importance,
            own.rho,
            counts=common.rho_counts,
            multiple=common.multiple,
            least=common.least_width,
        )
    except ValueError as error:
        raise DustError(
            f"{task.id} cannot remove as much: {error}",
            where="specs/v1/prune.yaml: spec.common.targets",
            fix="name more targets, or lower least_width or rho",
        ) from error
    return Cut(axes=axes, importance=importance, kept=kept)


def refitted(task: ResolvedTask, learner: Dust3r, guide: Dust3r, kept: Kept) -> Dust3r:
    """A copy of the cut network whose layers are fitted to the teacher's.

    Raises:
        DustError: the training set is absent or damaged.
    """
    recipe, device = task.profile.training.prune, device_of(task)
    fitted = deepcopy(learner)
    (pairs,) = plain_pairs(task, recipe, recipe.refit_pairs, recipe.refit_pairs)
    blocks = range(len(guide.enc_blocks)), range(len(guide.dec_blocks))
    images = pairs.image1.to(device), pairs.image2.to(device)
    refit(fitted, guide, blocks, *images, ridge=task.common.refit_ridge, kept=kept)
    return fitted


def _in_words(measured: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.4g}" if isinstance(value, float) else str(value)
        for name, value in measured.items()
    )
