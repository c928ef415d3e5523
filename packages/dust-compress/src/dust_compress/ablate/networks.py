"""The networks of an ablation: taken from the base task where equal, computed where not."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dust_compress.ablate.taken import Taken
from dust_compress.distill.students import train_student
from dust_compress.quantize.comparison import TEACHER
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.prepare import export_by, quantize_by
from dust_compress.train import Outcome
from dust_compress.train.distributed import all_ranks
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.names import exp_id
from dust_core.declared.specs.variants import Variant, base_experiment, networks_of
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r

_log = logging.getLogger("dust")


def quantize_variants(task: ResolvedTask, variants: Sequence[Variant], taken: Taken | None) -> None:
    """Write the graph of each variant: the teacher, quantized by the variant's policy.

    Raises:
        DustError: the calibration set is absent or too small, or a keep-list is wrong.
    """
    for variant in variants:
        path = _path(task, variant)
        if _is_taken(variant, taken, path):
            continue
        _log.info("%s is quantized", variant.exp_id)
        network = load_checkpoint(TEACHER.path(task)).network
        quantize_by(variant.task, network, variant.task.common)
        origin = Origin(variant.exp_id, (exp_id(base_experiment(task)),))
        export_by(variant.task, network, path, origin)


class Trained(NamedTuple):
    """A student, and how its training went."""

    student: Dust3r
    outcome: Outcome


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
            teacher = load_checkpoint(TEACHER.path(task)).network
            trained[variant.exp_id] = Trained(*train_student(variant.task, teacher))
    return trained


def write_trained(task: ResolvedTask) -> tuple[Path, dict[str, Trained]]:
    """Train the students of all variants but the base's, which is K-1's own, and write them.

    Raises:
        DustError: see `train_variants`.
    """
    variants = [variant for variant in networks_of(task) if not variant.is_base]
    with all_ranks(task):
        trained = train_variants(task, variants, None)
    save_variants(task, variants, None, trained)
    return _path(task, variants[-1]), trained


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
        path, name = _path(task, variant), variant.exp_id
        if not _is_taken(variant, taken, path):
            student = trained[name].student
            save_checkpoint(student, path, exp_id=name, spec_digest=task.digest, half=True)


def _path(task: ResolvedTask, variant: Variant) -> Path:
    return ARTIFACTS / task.profile_name / variant.file


def _is_taken(variant: Variant, taken: Taken | None, path: Path) -> bool:
    """Whether the variant is the executed base; its file is then a copy."""
    if taken is None or not variant.is_base:
        return False
    _log.info("%s is %s", variant.exp_id, taken.note)
    taken.copy_to(path)
    return True
