"""Which images of a scene form pairs, and what a model says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from dust_core.network.model import Features
from dust_eval.arrays import Floats
from dust_eval.runtimes import PairModel
from dust_eval.runtimes.torch_runtime import TorchModel


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
    model: PairModel,
    images: Sequence[Floats],
    pairs: Sequence[tuple[int, int]],
    on_pair: Callable[[], None] = lambda: None,
) -> list[Edge]:
    """What the model says of every pair.

    PyTorch encodes an image once for all its pairs. A graph or an engine holds the whole network
    and encodes both images of each pair.

    Args:
        images: (1, 3, H, W) float32 in [-1, 1].
        on_pair: told of every pair.
    """
    edges = []
    if isinstance(model, TorchModel):
        network, device = model.network, model.options.device
        with torch.inference_mode(), model.autocast():
            stack = torch.from_numpy(np.concatenate(images)).to(device)
            encoded = network.encode(stack)
            for first, second in pairs:
                ours, theirs = (
                    Features(encoded.tokens[one : one + 1], encoded.grid) for one in (first, second)
                )
                found = [part.float().cpu().numpy() for part in network.decode(ours, theirs)]
                edges.append(_edge(first, second, found))
                on_pair()
        return edges
    for first, second in pairs:
        edges.append(_edge(first, second, model(images[first], images[second])))
        on_pair()
    return edges


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


def _edge(first: int, second: int, found: Sequence[Floats]) -> Edge:
    points_1, conf_1, points_2, conf_2 = (part[0] for part in found)
    return Edge(first, second, np.stack([points_1, points_2]), np.stack([conf_1, conf_2]))
