"""The students of P1's ablation: taken from the base task where equal, trained where not.

Nothing here quantizes, so that a machine that only trains needs no quantizer.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dust_compress.ablate.taken import Taken, takes, variant_path
from dust_compress.distill.students import train_student
from dust_compress.train import Outcome
from dust_compress.train.distributed import all_ranks
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.variants import Variant, has_own_recipe, networks_of
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r

_log = logging.getLogger("dust")
_TEACHER = "teacher_fp32.pth"


class Trained(NamedTuple):
    """A student, and how the stages of its training went."""

    student: Dust3r
    outcomes: list[Outcome]


def train_variants(
    task: ResolvedTask, variants: Sequence[Variant], taken: Taken | None
) -> dict[str, Trained]:
    """Train the student of each variant that is not taken; by the variant's experiment.

    It neither measures nor writes a network, so it can run on another machine and on several
    ranks. Each training has a work folder of its own (that of the variant's task), from which it
    resumes, or gives its outcome again once it is finished.

    Raises:
        DustError: a file or a training set is absent or damaged, or a training was stopped.
    """
    trained: dict[str, Trained] = {}
    for variant in variants:
        if not (taken and variant.is_base):
            _log.info("%s is trained", variant.exp_id)
            teacher = load_checkpoint(ARTIFACTS / task.profile_name / _TEACHER).network
            trained[variant.exp_id] = Trained(*train_student(variant.task, teacher))
    return trained


def write_trained(task: ResolvedTask) -> tuple[Path, dict[str, Trained]]:
    """Train the students that this ablation trains itself, and write them.

    Raises:
        DustError: see `train_variants`.
    """
    variants = [
        variant for variant in networks_of(task) if has_own_recipe(task) or not variant.is_base
    ]
    with all_ranks(task):
        trained = train_variants(task, variants, None)
    save_variants(task, variants, None, trained)
    return variant_path(task, variants[-1]), trained


def save_variants(
    task: ResolvedTask,
    variants: Sequence[Variant],
    taken: Taken | None,
    trained: Mapping[str, Trained],
) -> None:
    """Write the student of each variant.

    Raises:
        DustError: a file cannot be written.
    """
    for variant in variants:
        if not takes(task, variant, taken):
            path, name = variant_path(task, variant), variant.exp_id
            student = trained[name].student
            save_checkpoint(student, path, exp_id=name, spec_digest=task.digest, half=True)
