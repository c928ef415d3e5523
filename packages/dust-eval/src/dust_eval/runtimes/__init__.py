"""Runtimes of pair models: one protocol, a file for each runtime."""

from dust_eval.runtimes.base import Graph, Images, PairModel, PairOutput, Precision, RuntimeOptions
from dust_eval.runtimes.registry import RUNTIMES, load_any, load_graph, load_model, side_of
from dust_eval.runtimes.split import EncodesOnce, SplitModel, load_split

__all__ = [
    "RUNTIMES",
    "EncodesOnce",
    "Graph",
    "Images",
    "PairModel",
    "PairOutput",
    "Precision",
    "RuntimeOptions",
    "SplitModel",
    "load_any",
    "load_graph",
    "load_model",
    "load_split",
    "side_of",
]
