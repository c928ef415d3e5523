"""Which images of a scene form pairs, and what a model says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from dust_eval.arrays import Floats
from dust_eval.runtimes import EncodesOnce, PairOutput

PairPredictor = Callable[[Floats, Floats], PairOutput]
"""What a scene needs of a model: two images (1, 3, H, W) in, their prediction out."""


class CannotAlign(DustError):
    """The predictions cannot be brought into one frame: an answer about the network."""


@dataclass(frozen=True)
class Edge:
    """A predicted pair of a scene.

    Attributes:
        first, second: numbers of the images.
        points: (2, H, W, 3), both views in the first camera's frame.
        confidences: (2, H, W), above 1.
    """

    first: int
    second: int
    points: Floats
    confidences: Floats


def swin_pairs(images: int, k: int, *, symmetric: bool = True) -> list[tuple[int, int]]:
    """Pairs of each image with the `k` that follow it, in a circle; each pair once an order.

    With five images and k = 4 these are all 20 ordered pairs.

    Raises:
        ValueError: fewer than two images, or k below 1.
    """
    if images < 2 or k < 1:
        raise ValueError(f"{images} images and k = {k}: a pair needs two images and a neighbour")
    pairs: dict[tuple[int, int], None] = {}
    for first in range(images):
        for step in range(1, min(k, images - 1) + 1):
            second = (first + step) % images
            if (second, first) not in pairs or symmetric:
                pairs[first, second] = None
                if symmetric:
                    pairs[second, first] = None
    return list(pairs)


def predict_edges(
    model: PairPredictor | EncodesOnce,
    images: Sequence[Floats],
    pairs: Sequence[tuple[int, int]],
    *,
    encode_once: bool,
    on_pair: Callable[[], None] = lambda: None,
) -> list[Edge]:
    """What the model says of every pair.

    Args:
        images: (1, 3, H, W) float32 in [-1, 1].
        encode_once: whether an image is encoded once for all its pairs; if not, both images of
            every pair are encoded.
        on_pair: called after every pair.

    Raises:
        DustError: images are to be encoded once, and the model is one graph of whole pairs; or the
            reverse.
    """
    if encode_once:
        if not isinstance(model, EncodesOnce):
            raise DustError(
                "the model encodes both images of every pair: it is one graph of whole pairs",
                fix="load its checkpoint, or its encoder and decoder as two graphs",
            )
        features = model.encode(images)
        outputs = (model.decode(features[first], features[second]) for first, second in pairs)
    elif callable(model):
        outputs = (model(images[first], images[second]) for first, second in pairs)
    else:
        raise DustError(
            "the model has encoder and decoder apart, and cannot run whole pairs",
            fix="load the graph of whole pairs, or encode each image once",
        )
    edges = []
    for (first, second), output in zip(pairs, outputs, strict=True):
        edges.append(_edge(first, second, output))
        on_pair()
    return edges


def require_finite(edges: Sequence[Edge], where: str = "") -> None:
    """Stop at a prediction that no geometry can be made of.

    Args:
        where: the model's name, for the message.

    Raises:
        CannotAlign: a point or a confidence is NaN or infinite.
    """
    for edge in edges:
        if not (np.isfinite(edge.points).all() and np.isfinite(edge.confidences).all()):
            raise CannotAlign(
                "the network predicts NaN or infinity", where=where, fix="build or pull it again"
            )


def hide_bars(edges: Sequence[Edge], shown: Sequence[NDArray[np.bool_]]) -> list[Edge]:
    """The same pairs, without confidence (1, which weighs nothing) where no picture is shown.

    Args:
        shown: (H, W) of every image.
    """
    return [
        replace(
            edge,
            confidences=np.where(
                np.stack([shown[edge.first], shown[edge.second]]), edge.confidences, 1.0
            ),
        )
        for edge in edges
    ]


def _edge(first: int, second: int, output: PairOutput) -> Edge:
    points_1, conf_1, points_2, conf_2 = (part[0] for part in output)
    return Edge(first, second, np.stack([points_1, points_2]), np.stack([conf_1, conf_2]))
