"""What executes a pair model: one protocol, one file a runtime."""

from dust_eval.runtimes.base import Images, PairModel, PairOutput, Precision, RuntimeOptions
from dust_eval.runtimes.registry import RUNTIMES, load_any, load_model, side_of

__all__ = [
    "RUNTIMES",
    "Images",
    "PairModel",
    "PairOutput",
    "Precision",
    "RuntimeOptions",
    "load_any",
    "load_model",
    "side_of",
]
