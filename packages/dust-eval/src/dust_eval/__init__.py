"""DUST's evaluator: runtimes, quality, latency, resources, scenes and verdicts."""

__version__ = "0.1.0"
