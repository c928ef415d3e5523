"""The pairs of a scene, and a model's predictions of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from dust_core.pairs.pictures.canvas import margins
from dust_eval.arrays import Floats
from dust_eval.runtimes import EncodesOnce, PairOutput

PairPredictor = Callable[[Floats, Floats], PairOutput]
"""The interface of a model: two images (1, 3, H, W) in, their prediction out."""


class CannotAlign(DustError):
    """The predictions cannot be brought into one frame: a result, not a fault of the program."""


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
    """Pairs of each image with the next `k`, in a circle; each pair once in each order.

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
    """The model's prediction of every pair.

    Predictions of several shapes are on one canvas, see `on_one_canvas`. A pixel beside its image
    has a confidence of 1.

    Args:
        images: (1, 3, H, W) float32 in [-1, 1].
        encode_once: True encodes an image once for all its pairs. False encodes both images of
            every pair.
        on_pair: called after every pair.

    Raises:
        DustError: `encode_once` is True and the model is one graph of whole pairs, or the
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
            "the model has a separate encoder and decoder, and cannot run whole pairs",
            fix="load the graph of whole pairs, or encode each image once",
        )
    canvas = (max(image.shape[2] for image in images), max(image.shape[3] for image in images))
    edges = []
    for (first, second), output in zip(pairs, outputs, strict=True):
        edges.append(_edge(first, second, output, canvas))
        on_pair()
    return edges


def require_finite(edges: Sequence[Edge], where: str = "") -> None:
    """Raise an error for a prediction without usable geometry.

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
    """The same pairs, with a confidence of 1 (a weight of 0) where there is no picture.

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


def _edge(first: int, second: int, output: PairOutput, canvas: tuple[int, int]) -> Edge:
    points_1, conf_1, points_2, conf_2 = (_on_canvas(part[0], canvas) for part in output)
    return Edge(first, second, np.stack([points_1, points_2]), np.stack([conf_1, conf_2]))


def _on_canvas(values: Floats, canvas: tuple[int, int]) -> Floats:
    """Points (H, W, 3) or confidences (H, W), with the nearest points and confidences of 1 beside
    them."""
    if values.shape[:2] == canvas:
        return values
    beside = margins(values.shape[:2], canvas)
    if values.ndim == 3:
        return np.pad(values, (*beside, (0, 0)), mode="edge")
    return np.pad(values, beside, constant_values=1.0)
