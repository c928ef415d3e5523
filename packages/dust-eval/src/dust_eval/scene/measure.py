"""t_scene_s: how long a scene takes."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from dust_core.declared.specs.models.workload import Scene as SceneProtocol
from dust_eval.arrays import Floats
from dust_eval.runtimes import PairModel
from dust_eval.scene.align import align
from dust_eval.scene.graph import predict_edges, swin_pairs


def scene_seconds(
    model: PairModel, images: Sequence[Floats], protocol: SceneProtocol, k: int
) -> float:
    """Median seconds from a scene's images in memory to its aligned cameras and depths.

    Args:
        images: the scene's images, (1, 3, H, W) float32 in [-1, 1].
        protocol: how many images, both orders or one, and how often.
        k: neighbours an image in the pair graph.

    Raises:
        DustError: the pairs do not join all images.
    """
    chosen = images[: protocol.images]
    alignment = protocol.alignment
    pairs = swin_pairs(len(chosen), k, symmetric=protocol.symmetric)
    taken = []
    for _ in range(protocol.repeats):
        start = perf_counter()
        edges = predict_edges(model, chosen, pairs)
        align(len(chosen), edges, rounds=alignment.rounds, tolerance=alignment.tolerance)
        taken.append(perf_counter() - start)
    return float(np.median(taken))
