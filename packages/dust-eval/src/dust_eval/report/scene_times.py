"""The time of a scene: as it is measured, and what encoding every pair costs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import ResultFile

if TYPE_CHECKING:
    from dust_core.declared.specs.models.workload import WorkloadSpec


@dataclass(frozen=True)
class SceneRow:
    """A network whose scene was timed.

    Attributes:
        task, exp_id, precision: what was measured, and in what.
        seconds: t_scene_s.
        every_pair_s: what the network alone takes where both images of every pair are encoded:
            pairs times the median of a pair in the same process. None where it was not timed.
        points: of the fused cloud; None where it was not recorded.
    """

    task: str
    exp_id: str
    precision: str
    seconds: float
    every_pair_s: float | None
    points: int | None


@dataclass(frozen=True)
class SceneTimes:
    """The scenes that were timed.

    Attributes:
        images, pairs: of a scene.
        encode_once: whether each image was encoded once for all its pairs.
    """

    images: int
    pairs: int
    encode_once: bool
    rows: tuple[SceneRow, ...]


def scene_times(workload: "WorkloadSpec", files: Iterable[ResultFile]) -> SceneTimes:
    """The newest scene time of each network in each precision, in the specs' order."""
    from dust_eval.scene.graph import swin_pairs

    scene = workload.scene
    pairs = len(swin_pairs(scene.images, workload.pair_graph.k, symmetric=scene.symmetric))
    rows = {(row.exp_id, row.precision): row for file in files for row in _rows(file, pairs)}
    return SceneTimes(scene.images, pairs, scene.encode_once, tuple(rows.values()))


def _rows(file: ResultFile, pairs: int) -> Iterator[SceneRow]:
    for result in file.results:
        record, runtime = result.record, result.provenance.runtime
        if record is None or runtime is None or record.t_scene_s is None:
            continue
        p50, points = record.t_pair_p50_ms, result.provenance.quantities.get("scene_points")
        yield SceneRow(
            task=file.task,
            exp_id=record.exp_id,
            precision=runtime.precision,
            seconds=record.t_scene_s,
            every_pair_s=None if p50 is None else pairs * p50 / 1000,
            points=None if points is None else int(points),
        )
