"""How far a predicted pair is from the truth."""

from dust_eval.quality.pair import PairTruth, pair_quality
from dust_eval.quality.workload import QualityReport, measure_quality

__all__ = ["PairTruth", "QualityReport", "measure_quality", "pair_quality"]
