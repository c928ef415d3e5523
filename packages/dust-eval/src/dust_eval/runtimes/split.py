"""Models in two parts: each image is encoded once and decoded in all of its pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dust_core.network.onnx.parts import FEATURES
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import Graph, PairOutput, RuntimeOptions
from dust_eval.runtimes.graph_model import INPUTS
from dust_eval.runtimes.registry import load_graph


@runtime_checkable
class EncodesOnce(Protocol):
    """A model that encodes images and decodes pairs separately."""

    def encode(self, images: Sequence[Floats]) -> Sequence[Any]:
        """Features of each image (1, 3, H, W), in the runtime's own form."""

    def decode(self, first: Any, second: Any) -> PairOutput:
        """The prediction of a pair from the features of its images."""


class SplitModel:
    """Encoder and decoder as two graphs of one runtime, as `onnx.parts.write_parts` writes them."""

    def __init__(self, encoder: Graph, decoder: Graph) -> None:
        self.encoder, self.decoder = encoder, decoder

    def encode(self, images: Sequence[Floats]) -> list[Floats]:
        """Features (1, N, C) of each image (1, 3, H, W); images are encoded two by two."""
        features: list[Floats] = []
        for first in range(0, len(images), 2):
            # The last of an odd number has itself for company.
            both = (images[first], images[min(first + 1, len(images) - 1)])
            (encoded,) = _run(self.encoder, dict(zip(INPUTS, both, strict=True)), [FEATURES])
            features += np.split(encoded, 2)
        return features[: len(images)]

    def decode(self, first: Floats, second: Floats) -> PairOutput:
        """The prediction of a pair from the features (1, N, C) of its images."""
        features = {FEATURES: np.concatenate([first, second])}
        return PairOutput(*_run(self.decoder, features, PairOutput._fields))


def _run(graph: Graph, inputs: Mapping[str, Floats], outputs: Sequence[str]) -> list[Floats]:
    graph.bind(inputs)
    graph.execute()
    return graph.read(outputs)


def load_split(runtime: str, encoder: Path, decoder: Path, options: RuntimeOptions) -> SplitModel:
    """Load the two graphs, or engines, in the runtime of that name.

    Raises:
        DustError: as `load_graph`. torch reads no graphs; it needs no graphs to encode once.
    """
    return SplitModel(*(load_graph(runtime, path, options) for path in (encoder, decoder)))
