"""t_scene_s: the time of a scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from dust_core.declared.specs.models.workload import PairGraph
from dust_core.declared.specs.models.workload import Scene as SceneProtocol
from dust_core.errors import DustError
from dust_eval.arrays import Floats
from dust_eval.runtimes import EncodesOnce
from dust_eval.scene.align import align
from dust_eval.scene.graph import PairPredictor, predict_edges, swin_pairs

# The protocol's values for what `align` does: each choice has one value so far.
_ALIGNMENT = {
    "init": "mst_pnp",
    "solver": "irls",
    "focals": "from_pairs",
    "distance": "l1",
    "weight": "log_conf",
}


@dataclass(frozen=True, kw_only=True)
class SceneTime:
    """The result of timing a scene.

    Attributes:
        seconds: the median.
        points: the number of points of the fused cloud.
        not_located: numbers of the images whose camera PnP did not find.
    """

    seconds: float
    points: int
    not_located: tuple[int, ...]

    def counts(self) -> dict[str, float]:
        """Counts for a record beside the seconds."""
        return {
            "scene_points": self.points,
            "scene_cameras_not_located": len(self.not_located),
        }

    def remarks(self) -> list[str]:
        """Remarks for a record's reader, if any."""
        remarks = []
        if self.not_located:
            numbers = ", ".join(str(number + 1) for number in self.not_located)
            remarks.append(f"PnP found no camera for image {numbers} of the timed scene")
        if not self.points:
            remarks.append("no pixel of the timed scene reaches the protocol's least confidence")
        return remarks


def time_scene(
    model: PairPredictor | EncodesOnce,
    images: Sequence[Floats],
    protocol: SceneProtocol,
    graph: PairGraph,
) -> SceneTime:
    """Time a scene from its images in memory to its cameras, depths and fused cloud.

    Args:
        model: it must encode images separately where the protocol has each encoded once.
        images: the scene's images, (1, 3, H, W) float32 in [-1, 1].
        protocol: how many images, both orders or one, how aligned, and how often.
        graph: which images form pairs.

    Raises:
        CannotAlign: the pairs do not join all images, or a prediction is NaN or infinite.
        DustError: the protocol asks for an option that is not implemented or that the model does
            not support.
    """
    _require_built(protocol, graph)
    chosen = images[: protocol.images]
    alignment = protocol.alignment
    pairs = swin_pairs(len(chosen), graph.k, symmetric=protocol.symmetric)
    taken = []
    for _ in range(protocol.repeats):
        start = perf_counter()
        edges = predict_edges(model, chosen, pairs, encode_once=protocol.encode_once)
        scene = align(len(chosen), edges, rounds=alignment.rounds, tolerance=alignment.tolerance)
        cloud = scene.points()[scene.trusted(alignment.min_confidence)]
        taken.append(perf_counter() - start)
    return SceneTime(
        seconds=float(np.median(taken)), points=len(cloud), not_located=scene.not_located
    )


def _require_built(protocol: SceneProtocol, graph: PairGraph) -> None:
    asked = {"pair_graph.kind": (graph.kind, "swin")}
    for field, built in _ALIGNMENT.items():
        asked[f"scene.alignment.{field}"] = (getattr(protocol.alignment, field), built)
    for place, (value, built) in asked.items():
        if value != built:
            raise DustError(
                f"{place} is {value!r}, and only {built!r} is built",
                where="workload.yaml",
                fix=f"set it to {built}",
            )
