"""Proving a set: every byte, every sample, and the geometry between its views."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import off_centre, seen, warp
from dust_core.pairs.shards.colours import Colours, compare_colours, unexplained
from dust_core.pairs.shards.depth_faults import faults_of_depth
from dust_core.pairs.shards.index import verify_index
from dust_core.pairs.shards.manifest import Manifest, read_manifest
from dust_core.pairs.shards.sample import CAMERAS, Members, PairSample, decode, read_cameras
from dust_core.pairs.shards.tars import read_shard, verify_shard
from dust_core.pairs.shards.twice import Twice

# A pair whose views do not agree is a wrong pose or a wrong intrinsic matrix: at true
# correspondences neither depth nor colour moves much, whatever the scene.
MAX_GEOMETRIC_ERROR = 0.02
_STEP = 4


@dataclass(frozen=True)
class PairErrors:
    """How well view 2, warped by the stated geometry, agrees with view 1 where both see a point.

    Attributes:
        covisible: share of view 1's known pixels that view 2 sees.
        geometric: median relative difference of depth over pixels that fall inside view 2 and are
            not hidden there, a fraction.
        photometric: median difference of colour at the pixels that both see, of 255.
        colours: the same with and without the warp, for the set's verdict; None if both views see
            too few points.
    """

    covisible: float
    geometric: float
    photometric: float
    colours: Colours | None

    @property
    def agree(self) -> bool:
        """Whether the depths of both views agree."""
        return self.geometric <= MAX_GEOMETRIC_ERROR


@dataclass
class SetReport:
    """What a check found.

    Attributes:
        manifest: the set's manifest.
        pairs: samples that were read whole.
        faults: one message for each fault, in order.
        warnings: one message for each pair whose camera or names are unlikely, in order.
        errors: the geometry of every whole sample.
    """

    manifest: Manifest
    pairs: int = 0
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[PairErrors] = field(default_factory=list)

    @property
    def agreeing(self) -> int:
        """How many pairs were read whole and agree in depth."""
        return sum(error.agree for error in self.errors)

    def median(self, name: str) -> float:
        """The median over the pairs of one of the errors; NaN where there is no pair."""
        values = [getattr(error, name) for error in self.errors]
        return float(np.median(values)) if values else float("nan")


def check_set(folder: Path, on_pair: Callable[[], None] = lambda: None) -> SetReport:
    """Read everything in a folder of shards and compare it with itself and with its manifest.

    Raises:
        DustError: there is no readable manifest; every other fault is in the report.
    """
    report = SetReport(read_manifest(folder))
    scenes: set[str] = set()
    twice = Twice()
    for shard in report.manifest.shards:
        try:
            verify_shard(folder, shard)
            verify_index(folder / shard.index, folder / shard.name)
            pairs = 0
            for key, members in islice(read_shard(folder / shard.name), shard.pairs + 1):
                where = f"{folder / shard.name}:{key}"
                sample = _check_sample(members, where, report, scenes)
                if sample is not None:
                    same = list(twice.same_bytes(members, where))
                    report.faults.extend(same)
                    report.warnings.extend(() if same else twice.same_frames(sample.about, where))
                pairs += 1
                on_pair()
            if pairs != shard.pairs:
                raise DustError(
                    f"holds {'more' if pairs > shard.pairs else pairs} pairs, the manifest says "
                    f"{shard.pairs}",
                    where=str(folder / shard.name),
                )
        except DustError as error:
            report.faults.append(_one_line(error))
    wrong = unexplained([error.colours for error in report.errors if error.colours is not None])
    if wrong:
        report.faults.append(f"{folder}: {wrong}")
    report.faults.extend(_strays(folder, report.manifest))
    if not report.faults:
        report.faults.extend(_faults_of_manifest(folder, report.manifest, scenes))
    return report


def pair_errors(sample: PairSample) -> PairErrors:
    """Warp view 1 into view 2 by the stated depth and cameras, and compare."""
    depth_1, depth_2 = sample.depths
    warped = warp(
        depth_1, *sample.intrinsics, sample.view1_from_view2, depth_2.shape[:2], step=_STEP
    )
    known = int((depth_1[::_STEP, ::_STEP] > 0).sum())
    visible = seen(warped, depth_2)
    nearest = np.rint(warped.pixels_2).astype(np.int64)
    own = depth_2[nearest[:, 1], nearest[:, 0]]
    # What lies behind view 2's surface is hidden; what lies in front of it would be a wrong pose.
    facing = (own > 0) & (warped.depth_2 < 1.05 * own)
    relative = np.abs(own - warped.depth_2)[facing] / warped.depth_2[facing]
    first = sample.images[0][warped.pixels_1[:, 1], warped.pixels_1[:, 0]].astype(np.float64)
    second = sample.images[1][nearest[:, 1], nearest[:, 0]].astype(np.float64)
    colour = np.abs(first - second).mean(1)[visible]
    return PairErrors(
        covisible=float(visible.sum()) / max(1, known),
        geometric=float(np.median(relative)) if len(relative) else float("inf"),
        photometric=float(np.median(colour)) if len(colour) else float("nan"),
        colours=compare_colours(sample.images, warped, visible),
    )


def _check_sample(
    members: Members, where: str, report: SetReport, scenes: set[str]
) -> PairSample | None:
    """The sample, if it can be read."""
    try:
        sample = decode(members, where)
    except DustError as error:
        report.faults.append(_one_line(error))
        return None
    report.faults.extend(_disagreements(sample, report.manifest, where))
    units = read_cameras(members[CAMERAS], where)[34:]
    for index, (depth, unit) in enumerate(zip(sample.depths, units, strict=True), 1):
        name = f"{where}: {index}.depth.png"
        report.faults.extend(f"{name} {fault}" for fault in faults_of_depth(depth, float(unit)))
    report.warnings.extend(_unlikely(sample, where))
    errors = pair_errors(sample)
    if not errors.agree:
        report.faults.append(
            f"{where}: pose or intrinsics are wrong: warped into view 2, depth is "
            f"off by {100 * errors.geometric:.1f} % in the median"
        )
    report.errors.append(errors)
    scenes.add(sample.about["scene"])
    report.pairs += 1
    return sample


def _faults_of_manifest(folder: Path, manifest: Manifest, scenes: set[str]) -> Iterator[str]:
    if tuple(sorted(scenes)) != manifest.scenes:
        yield f"{folder}: its scenes are not those of the manifest"
    pairs = sum(shard.pairs for shard in manifest.shards)
    if pairs != manifest.pairs:
        yield f"{folder}: its shards hold {pairs} pairs, the manifest says {manifest.pairs}"


def _strays(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Tars and indices of another set: whoever reads all `*.tar` of the folder reads them too."""
    named = {name for shard in manifest.shards for name in (shard.name, shard.index)}
    for path in sorted((*folder.glob("*.tar"), *folder.glob("*.idx"))):
        if path.name not in named:
            yield f"{path}: the manifest does not name it"


def _disagreements(sample: PairSample, manifest: Manifest, where: str) -> Iterator[str]:
    size = sample.images[0].shape[:2]
    if size != (manifest.height, manifest.width):
        expected = f"{manifest.height}x{manifest.width}"
        yield f"{where}: images are {size[0]}x{size[1]}, the manifest says {expected}"
    if sample.about["scene"] not in manifest.scenes:
        yield f"{where}: the manifest does not name the scene {sample.about['scene']}"


def _unlikely(sample: PairSample, where: str) -> Iterator[str]:
    for index, (image, intrinsics) in enumerate(
        zip(sample.images, sample.intrinsics, strict=True), 1
    ):
        centre = off_centre(intrinsics, (image.shape[1], image.shape[0]))
        if centre:
            yield f"{where}: the principal point of view {index} is {centre}"


def _one_line(error: DustError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what
