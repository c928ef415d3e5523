"""Structured pruning: the least important units of a network, removed for real."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor

from dust_core.network.model.config import Dust3rConfig
from dust_core.network.model.network import Dust3r
from dust_core.network.surgery.axes import Axis, Size, axes_of

Counts = Literal["parameters", "width"]
Kept = Mapping[str, Tensor]
"""The units that stay, ascending, by the name of their axis; of other axes all stay."""


@dataclass(frozen=True)
class Chunk:
    """Units that leave together, as many in every axis of a size.

    Attributes:
        size: the number of the configuration that becomes smaller.
        units: by how many.
        importance: of all of them, by parameter.
    """

    size: Size
    units: int
    importance: float


def importances(saliency: Mapping[str, Tensor], axes: Iterable[Axis]) -> dict[str, Tensor]:
    """The importance of every unit, by axis: the sum of its parameters' saliencies.

    Args:
        saliency: a number for each number of each parameter, as |w| for the L1 norm.
        axes: of a network with these parameters.
    """
    return {
        axis.name: torch.stack(
            [axis.by_unit(place, saliency[place.parameter]) for place in axis.places]
        ).sum(0)
        for axis in axes
    }


def choose_units(
    config: Dust3rConfig,
    axes: Iterable[Axis],
    importance: Mapping[str, Tensor],
    rho: float,
    *,
    counts: Counts,
    multiple: int,
    least: float = 0.0,
) -> dict[str, Tensor]:
    """The units that stay.

    Args:
        config: the network's shape.
        axes: what may become smaller.
        importance: of every unit, by axis.
        rho: the share that goes, in [0, 1).
        counts: what it is a share of. `width` takes it from each size of the configuration.
            `parameters` takes it from the parameters of the whole network: the units with the
            least importance a parameter go first, wherever they are.
        multiple: a size other than a number of heads becomes a multiple of this.
        least: the share of every size that stays under `parameters`.

    Raises:
        ValueError: these axes do not hold as many parameters.
    """
    if not 0 <= rho < 1:
        raise ValueError(f"rho is {rho}, must be in [0, 1)")
    axes = tuple(axes)
    removed: dict[Size, int]
    if counts == "width":
        removed = {
            axis.size: axis.units - _rounded(axis, axis.units * (1 - rho), multiple)
            for axis in axes
        }
    else:
        chunks = _chunks(config, axes, importance, multiple, least)
        counter = _Counter(config)
        goal = (1 - rho) * counter()
        count = bisect_left(
            range(len(chunks) + 1), -goal, key=lambda number: -counter(_sum_up(chunks[:number]))
        )
        if count > len(chunks):
            raise ValueError(f"these units hold less than {rho:g} of the parameters")
        removed = _sum_up(chunks[:count])
    return {
        axis.name: importance[axis.name].argsort(stable=True)[removed[axis.size] :].sort().values
        for axis in axes
        if removed.get(axis.size)
    }


def prune(network: Dust3r, kept: Kept) -> Dust3r:
    """A smaller network that holds what is left of the weights.

    Units that are exactly 0 leave nothing behind, with an exception: a LayerNorm divides by the
    deviation of the channels that it sees, so its output changes with the width of a stream.

    Args:
        network: is left as it is; one of another patch size than the network that was judged
            serves as well.
        kept: the units that stay.

    Raises:
        ValueError: axes of one size keep different numbers of units.
    """
    weights = dict(network.state_dict())
    for (parameter, dim), indices in kept_indices(network.config, kept).items():
        own = weights[parameter]
        weights[parameter] = own.index_select(dim, indices.to(own.device))
    smaller = Dust3r(_kept_config(network.config, kept)).to(next(network.parameters()).device)
    smaller.load_state_dict(weights)
    return smaller.train(network.training)


def kept_indices(config: Dust3rConfig, kept: Kept) -> dict[tuple[str, int], Tensor]:
    """What stays of every parameter that becomes smaller: indices by parameter and dimension."""
    return {
        (place.parameter, place.dim): axis.along(place, kept[axis.name])
        for axis in axes_of(config)
        if axis.name in kept
        for place in axis.places
    }


class _Counter:
    """Counts the parameters of a network of some shape, and of one without some of its units."""

    def __init__(self, config: Dust3rConfig) -> None:
        with torch.device("meta"):
            parameters = dict(Dust3r(config).named_parameters())
        self.shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
        self.axes = axes_of(config)

    def __call__(self, removed: Mapping[Size, int] | None = None) -> int:
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        for axis in self.axes:
            if gone := (removed or {}).get(axis.size, 0):
                for place in axis.places:
                    shapes[place.parameter][place.dim] -= gone * axis.width * place.times
        return sum(map(prod, shapes.values()))


def _kept_config(config: Dust3rConfig, kept: Kept) -> Dust3rConfig:
    removed: dict[Size, int] = {}
    for axis in axes_of(config):
        gone = axis.units - len(kept.get(axis.name, range(axis.units)))
        if removed.setdefault(axis.size, gone) != gone:
            raise ValueError(f"{axis.name} loses {gone} units, others of its size another number")
    return _narrowed(config, removed)


def _narrowed(config: Dust3rConfig, removed: Mapping[Size, int]) -> Dust3rConfig:
    own: dict[str, Any] = {}
    dpt: dict[str, Any] = {}
    for (name, index), count in removed.items():
        inner = name.removeprefix("dpt.")
        fields, source = (own, config) if inner == name else (dpt, config.dpt)
        before = fields.get(inner, getattr(source, inner))
        if index is None:
            fields[inner] = before - count
        else:
            fields[inner] = (*before[:index], before[index] - count, *before[index + 1 :])
    if config.dpt is not None and dpt:
        own["dpt"] = replace(config.dpt, **dpt)
    return replace(config, **own)


def _chunks(
    config: Dust3rConfig,
    axes: Iterable[Axis],
    importance: Mapping[str, Tensor],
    multiple: int,
    least: float,
) -> list[Chunk]:
    """What may go, in the order in which it goes."""
    by_size: dict[Size, list[Axis]] = defaultdict(list)
    for axis in axes:
        by_size[axis.size].append(axis)
    counter, chunks = _Counter(config), list[Chunk]()
    for size, members in by_size.items():
        units = members[0].units
        step = 1 if members[0].kind == "heads" else multiple
        stays = _rounded(members[0], max(1, least * units), multiple)
        each = counter() - counter({size: 1})
        ranked = torch.stack([importance[axis.name].double().sort().values for axis in members])
        start = 0
        for left in range((units - 1) // step * step, stays - 1, -step):
            total = float(ranked[:, start : units - left].sum())
            count = units - left - start
            chunks.append(Chunk(size, count, total / (count * each)))
            start += count
    return sorted(chunks, key=lambda chunk: chunk.importance)


def _sum_up(chunks: Iterable[Chunk]) -> dict[Size, int]:
    removed: dict[Size, int] = defaultdict(int)
    for chunk in chunks:
        removed[chunk.size] += chunk.units
    return removed


def _rounded(axis: Axis, units: float, multiple: int) -> int:
    """The nearest number of units that an axis may have, at least one step of them."""
    step = min(axis.units, 1 if axis.kind == "heads" else multiple)
    return min(axis.units, max(step, step * round(units / step)))
