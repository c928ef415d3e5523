"""How long a pair takes: models in turn, in one process."""

from dust_eval.latency.protocol import Timing, measure_latency

__all__ = ["Timing", "measure_latency"]
