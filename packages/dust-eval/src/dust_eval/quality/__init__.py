"""How far a predicted pair is from the truth."""

from dust_eval.quality.depth import Unscorable
from dust_eval.quality.pair import PairTruth, depth_quality, pair_quality
from dust_eval.quality.workload import QualityReport, Sample, measure_quality

__all__ = [
    "PairTruth",
    "QualityReport",
    "Sample",
    "Unscorable",
    "depth_quality",
    "measure_quality",
    "pair_quality",
]
