"""The workload's first scene in 3-D, as one network predicts it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dust_core.pairs.framing import Mode, place
from dust_core.pairs.pictures.photographs import Photograph
from dust_core.pairs.shards.reader import read_samples
from dust_eval.runtimes import PairModel
from dust_eval.scene.align import align
from dust_eval.scene.cloud import USUAL, surer_half, usual_confidence
from dust_eval.scene.graph import predict_edges, require_finite, swin_pairs
from dust_eval.scene.page import View, render, scene_views

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask


def scene_page(task: "ResolvedTask", network: PairModel, name: str, most_points: int) -> str:
    """The page of the scene that t_scene_s times, at most `most_points` points.

    A graph of whole pairs encodes both images of every pair. The points are the same.

    Args:
        name: the network's file.

    Raises:
        DustError: the set is absent, or the predictions cannot be aligned.
    """
    photographs = [
        Photograph(title, (width, height), place(width, height, height, Mode.CROP), picture)
        for title, picture in _pictures(task).items()
        for height, width in [picture.shape[:2]]
    ]
    protocol = task.workload.scene
    pairs = swin_pairs(len(photographs), task.workload.pair_graph.k, symmetric=protocol.symmetric)
    tensors = [photograph.tensor() for photograph in photographs]
    edges = predict_edges(network, tensors, pairs, encode_once=False)
    require_finite(edges, where=name)
    alignment = protocol.alignment
    scene = align(len(photographs), edges, rounds=alignment.rounds, tolerance=alignment.tolerance)
    least = usual_confidence(scene.confidences)
    facts = [
        ("Network", name),
        ("Images, pairs", f"{len(photographs)}, {len(pairs)}"),
        ("Least confidence at first", f"{least:.4g}"),
        ("Points here", f"at most {most_points:,} of {scene.depths.size:,} pixels"),
    ]
    views = _thinned(scene_views(scene, photographs), most_points)
    warnings = [surer_half()] if least < USUAL else []
    return render(f"Scene of {name}", views, least, facts, warnings)


def script_sum(page: str) -> str:
    """The digest of the script of a scene's page, as its content security policy has it.

    A page with the scene in a frame passes its own policy on, so it has to allow the script, too.
    """
    found = re.search(r"script-src '(sha256-[A-Za-z0-9+/=]+)'", page)
    if found is None:
        raise ValueError("the page of a scene has no policy for its script")
    return found[1]


def _thinned(views: Sequence[View], most: int) -> list[View]:
    """The views with about `most` points, drawn by lot; a pixel of confidence 1 is no point."""
    points = sum(int((view.confidences > 1).sum()) for view in views)
    lots, share = np.random.default_rng(0), most / max(1, points)
    return [
        replace(
            view,
            confidences=np.where(lots.random(view.confidences.shape) < share, view.confidences, 1),
        )
        for view in views
    ]


def _pictures(task: "ResolvedTask") -> dict[str, NDArray[np.uint8]]:
    """The pictures (H, W, 3) of the workload's first scene by name, in the order of its pairs.

    Raises:
        DustError: the set is absent or damaged.
    """
    pictures: dict[str, NDArray[np.uint8]] = {}
    scene, most = None, task.workload.scene.images
    for pair in read_samples(Path(task.data.workload.manifest).parent, verify=True):
        scene = scene or pair.about["scene"]
        if pair.about["scene"] == scene:
            pictures |= dict(zip(map(str, pair.about["images"]), pair.images, strict=True))
        if len(pictures) >= most:
            break
    return dict(islice(pictures.items(), most))
