"""Quality over a whole workload."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from dust_core.errors import DustError
from dust_eval.quality.pair import PairTruth, pair_quality
from dust_eval.runtimes import Images, PairModel

METRICS = ("absrel", "rmse", "delta1", "chamfer")


@dataclass(frozen=True)
class Sample:
    """One pair of a workload: its name, both images (1, 3, H, W) in [-1, 1], and the truth."""

    name: str
    images: Images
    truth: PairTruth


@dataclass(frozen=True)
class QualityReport:
    """Metrics by pair, in the workload's order, and their means over the pairs."""

    pairs: tuple[str, ...]
    per_pair: dict[str, tuple[float, ...]]

    @property
    def aggregate(self) -> dict[str, float]:
        """The mean of each metric over the pairs."""
        return {name: float(np.mean(values)) for name, values in self.per_pair.items()}


def measure_quality(
    model: PairModel,
    samples: Iterable[Sample],
    *,
    chamfer_points: int,
    seed: int,
    on_pair: Callable[[str], None] = lambda name: None,
) -> QualityReport:
    """Run `model` on every sample and compare with its truth.

    Raises:
        DustError: there is no sample, or a prediction cannot be scored; it names the pair.
    """
    names: list[str] = []
    rows: list[dict[str, float]] = []
    for sample in samples:
        try:
            prediction = model(*sample.images)
            row = pair_quality(
                prediction.pts3d_1[0],
                prediction.pts3d_2[0],
                sample.truth,
                chamfer_points=chamfer_points,
                seed=seed,
            )
        except ValueError as error:
            raise DustError(
                f"the prediction cannot be scored: {error}",
                where=sample.name,
                fix="look at the pair with `dust data show`, and build or pull the model again",
                exit_code=1,
            ) from error
        names.append(sample.name)
        rows.append(row)
        on_pair(sample.name)
    if not rows:
        raise DustError("the workload holds no pair", fix="pull the data: `dvc pull`")
    return QualityReport(
        tuple(names), {metric: tuple(row[metric] for row in rows) for metric in METRICS}
    )
