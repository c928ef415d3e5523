"""How much validation quality a cut costs before any repair, and where it costs most."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from dust_compress.train.validation import validate_pairs
from dust_core.console import Terminal
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.training import Recipe
from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_core.network.surgery.axes import Axis, Size
from dust_core.network.surgery.prune import choose_units, prune
from dust_eval.gates import drop_percent


class Judge:
    """Judges networks on the validation pairs, against the teacher.

    Args:
        task: its profile names the pairs.
        recipe: the side of the images, and the precision.
        teacher: with the patches of the networks that are judged.
    """

    def __init__(self, task: ResolvedTask, recipe: Recipe, teacher: Dust3r) -> None:
        self._validate = validate_pairs(task, recipe)
        self._metric = task.workload.quality.primary
        self.teacher = self._measured(teacher)

    def __call__(self, network: Dust3r) -> dict[str, Any]:
        """The loss, the primary metric, and its drop in percent; without the last two where a
        network is so poor that its predictions cannot be judged.
        """
        try:
            measured = self._measured(network)
        except DustError as error:
            return {"not_judged": error.what}
        ours, theirs = measured[self._metric], self.teacher[self._metric]
        drop = drop_percent(self._metric, ours, theirs) if theirs else None
        return measured | {"drop_percent": drop}

    def _measured(self, network: Dust3r) -> dict[str, float]:
        training = network.training
        network.eval()
        with torch.inference_mode():
            validation = self._validate(network)
        network.train(training)
        return {"loss": validation.score, self._metric: validation.metrics[self._metric]}


def sensitivity(
    judge: Judge,
    network: Dust3r,
    axes: Sequence[Axis],
    importance: Mapping[str, Tensor],
    rho: float,
    multiple: int,
) -> list[dict[str, Any]]:
    """The teacher's drop where a share of one layer's width is cut, and nothing else.

    Each head count, FFN width and stream is cut by itself; the convolutions of the DPT heads
    together. The drops do not add up, but they show where a network bears pruning.

    Args:
        rho: the share of the width.
        multiple: as `choose_units` takes it; a layer of which this leaves all units has no row.
    """
    layers: dict[Size, list[Axis]] = defaultdict(list)
    for axis in axes:
        layers[("dpt", None) if axis.kind == "convolutions" else axis.size].append(axis)
    rows = []
    cuts = track(layers.items(), description="sensitivity", transient=True, console=Terminal())
    for (_, block), members in cuts:
        kept = choose_units(
            network.config, members, importance, rho, counts="width", multiple=multiple
        )
        if not kept:
            continue
        units = sum(axis.units for axis in members)
        left = sum(len(kept[axis.name]) if axis.name in kept else axis.units for axis in members)
        rows.append(
            {
                "kind": members[0].kind,
                "stack": members[0].stack,
                "block": block,
                "rho": rho,
                "removed": 1 - left / units,
                **judge(prune(network, kept)),
            }
        )
    return rows
