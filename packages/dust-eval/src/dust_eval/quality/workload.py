"""Quality over a whole workload."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dust_core.errors import DustError
from dust_core.tracked import PULL
from dust_eval.quality.depth import Unscorable
from dust_eval.quality.finite import count_non_finite
from dust_eval.quality.pair import PairTruth, pair_quality
from dust_eval.runtimes import Images, PairModel, PairOutput

METRICS = ("absrel", "rmse", "delta1", "chamfer")


@dataclass(frozen=True)
class Sample:
    """One pair of a workload: its name, both images (1, 3, H, W) in [-1, 1], and the truth."""

    name: str
    images: Images
    truth: PairTruth


@dataclass(frozen=True)
class QualityReport:
    """Quality of a network over a workload.

    Attributes:
        pairs: the pairs' names, in the workload's order.
        per_pair: metric -> its value for every pair. Empty if a pair could not be scored, because
            a mean over the rest would be of another workload.
        non_finite: how many values of points and confidences are NaN or infinite, over all pairs.
        unscored: pair -> why it could not be scored.
    """

    pairs: tuple[str, ...]
    per_pair: dict[str, tuple[float, ...]]
    non_finite: int
    unscored: dict[str, str]

    @property
    def aggregate(self) -> dict[str, float]:
        """The mean of each metric over the pairs."""
        return {name: float(np.mean(values)) for name, values in self.per_pair.items()}

    @property
    def why_unscored(self) -> str:
        """Which pairs could not be scored, in a line; empty if all were."""
        if not self.unscored:
            return ""
        name, reason = next(iter(self.unscored.items()))
        return f"{len(self.unscored)} of {len(self.pairs)} pairs cannot be scored; {name}: {reason}"


def measure_quality(
    model: PairModel,
    samples: Iterable[Sample],
    *,
    chamfer_points: int,
    seed: int,
    metrics: Sequence[str] = METRICS,
    alignment: str = "median_scale_view1",
    on_pair: Callable[[str], None] = lambda name: None,
) -> QualityReport:
    """Run `model` on every sample and compare with its truth.

    A prediction that is not finite is counted and raises no error: a line binds the count.

    Args:
        chamfer_points, seed, alignment: see `pair_quality`.
        metrics: what is reported, of `METRICS`.
        on_pair: called with each pair's name once it is done.

    Raises:
        DustError: there is no sample, or a prediction has another size than the truth.
    """
    names: list[str] = []
    rows: list[dict[str, float]] = []
    unscored: dict[str, str] = {}
    non_finite = 0
    for sample in samples:
        names.append(sample.name)
        prediction = model(*sample.images)
        wrong = count_non_finite(prediction)
        non_finite += wrong
        try:
            if wrong:
                raise Unscorable(f"{wrong} predicted values are NaN or infinite")
            rows.append(_scored(prediction, sample, chamfer_points, seed, alignment))
        except Unscorable as error:
            unscored[sample.name] = str(error)
        on_pair(sample.name)
    if not names:
        raise DustError("the workload holds no pair", fix=f"pull the data: `{PULL}`")
    per_pair = {} if unscored else {name: tuple(row[name] for row in rows) for name in metrics}
    return QualityReport(tuple(names), per_pair, non_finite, unscored)


def _scored(
    prediction: PairOutput, sample: Sample, chamfer_points: int, seed: int, alignment: str
) -> dict[str, float]:
    try:
        return pair_quality(
            prediction.pts3d_1[0],
            prediction.pts3d_2[0],
            sample.truth,
            chamfer_points=chamfer_points,
            seed=seed,
            alignment=alignment,
        )
    except Unscorable:
        raise
    except ValueError as error:
        raise DustError(
            f"the prediction cannot be scored: {error}",
            where=sample.name,
            fix="look at the pair with `dust data show`, and build or pull the model again",
            exit_code=1,
        ) from error
