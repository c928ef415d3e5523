"""Distance between point clouds."""

import numpy as np

from dust_eval.arrays import Floats
from dust_eval.quality.depth import Unscorable


def chamfer(first: Floats, second: Floats, points: int, seed: int) -> float:
    """Symmetric Chamfer distance between clouds (N, 3) and (M, 3), in their unit.

    The mean of the two mean distances from a point to the other cloud's nearest point. At most
    `points` of each cloud, drawn without replacement from `seed`, are compared.

    Raises:
        Unscorable: a cloud holds a value that is not finite.
        ValueError: a cloud is empty.
    """
    from scipy.spatial import cKDTree

    for name, cloud in (("first", first), ("second", second)):
        if not len(cloud):
            raise ValueError(f"the {name} cloud is empty")
        if not np.isfinite(cloud).all():
            raise Unscorable(f"the {name} cloud holds NaN or infinity")
    rng = np.random.default_rng(seed)
    a, b = (_draw(cloud, points, rng) for cloud in (first, second))
    # Each point is looked up separately, so the number of threads changes only the time.
    there, _ = cKDTree(b).query(a, workers=-1)
    back, _ = cKDTree(a).query(b, workers=-1)
    return float((there.mean() + back.mean()) / 2)


def _draw(cloud: Floats, points: int, rng: np.random.Generator) -> Floats:
    if len(cloud) <= points:
        return cloud
    return cloud[rng.choice(len(cloud), points, replace=False)]
