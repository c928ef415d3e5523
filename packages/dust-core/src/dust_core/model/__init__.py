"""The DUSt3R network, as published and at every smaller shape."""

from dust_core.model.config import DptConfig, Dust3rConfig
from dust_core.model.network import Dust3r, Features, PairPrediction

__all__ = ["DptConfig", "Dust3r", "Dust3rConfig", "Features", "PairPrediction"]
