"""How long a pair takes: candidate and baseline in turn, in one process."""

from dust_eval.latency.protocol import LatencyReport, Timing, measure_latency

__all__ = ["LatencyReport", "Timing", "measure_latency"]
