"""The DUSt3R network, as published and at every smaller shape."""

from dust_core.network.model.config import DptConfig, Dust3rConfig
from dust_core.network.model.network import Dust3r, Features, PairPrediction

__all__ = ["DptConfig", "Dust3r", "Dust3rConfig", "Features", "PairPrediction"]
