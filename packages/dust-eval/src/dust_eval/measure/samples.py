"""Pairs of a set as samples: images, truth, a name."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import PairSample, network_input
from dust_eval.arrays import Floats
from dust_eval.quality import PairTruth
from dust_eval.quality.workload import Sample
from dust_eval.runtimes import Images


def workload_samples(task: ResolvedTask) -> Iterator[Sample]:
    """The pairs of the workload that the profile measures, in order, their bytes checked.

    Raises:
        DustError: the set is absent, damaged, or not the one that the specs name.
    """
    split = task.data.workload
    manifest = Path(split.manifest)
    if manifest.is_file() and sha256_file(manifest) != split.sha256:
        raise DustError(
            "this is not the workload that the specs name",
            where=str(manifest),
            fix="pull it again: `dvc pull data/workload`",
            exit_code=1,
        )
    yield from set_samples(manifest.parent, task.profile.workload_pairs)


def scene_images(task: ResolvedTask) -> list[Floats]:
    """The images (1, 3, H, W) of the workload's first scene, in the order in which pairs name them.

    A profile that measures fewer pairs has the same scene.

    Raises:
        DustError: the set is absent or damaged.
    """
    images: dict[str, Floats] = {}
    scene = None
    for pair in read_samples(Path(task.data.workload.manifest).parent, verify=True):
        scene = scene or pair.about["scene"]
        if pair.about["scene"] == scene:
            images |= dict(zip(pair.about["images"], _images(pair), strict=True))
        if len(images) >= task.workload.scene.images:
            break
    return list(images.values())[: task.workload.scene.images]


def set_samples(folder: Path, pairs: int | None = None) -> Iterator[Sample]:
    """The first `pairs` pairs of any set of shards, or all, their bytes checked.

    Raises:
        DustError: the set is absent or damaged, or a pair has no known depth.
    """
    for number, pair in enumerate(islice(read_samples(folder, verify=True), pairs)):
        yield _sample(pair, number)


def _sample(pair: PairSample, number: int) -> Sample:
    """A pair of shards as a sample, named by its number, scene and images.

    Raises:
        DustError: a view has no known depth, so there is nothing to compare with.
    """
    name = f"pair {number}, {_title(pair)}"
    for view, depth in enumerate(pair.depths, 1):
        if not (depth > 0).any():
            raise DustError(
                f"{name}: view {view} has no known depth",
                fix="look at the pair with `dust data show`, and import the set again",
                exit_code=1,
            )
    return Sample(name, _images(pair), _truth(pair))


def _title(pair: PairSample) -> str:
    return f"{pair.about['scene']} {' and '.join(map(str, pair.about.get('images', ())))}".strip()


def _images(pair: PairSample) -> Images:
    first, second = map(network_input, pair.images)
    return first, second


def _truth(pair: PairSample) -> PairTruth:
    arrays = (*pair.depths, *pair.intrinsics, pair.view1_from_view2)
    return PairTruth(*(array.astype(np.float64) for array in arrays))
