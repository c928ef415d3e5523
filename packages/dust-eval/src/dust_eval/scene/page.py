"""A page that shows a scene offline: clouds, cameras, photographs, figures."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import Image

from dust_core.pairs.pictures.photographs import Photograph
from dust_core.visible import in_one_line
from dust_eval.arrays import Floats
from dust_eval.scene.align import Scene
from dust_eval.scene.pair import PairScene

_MOST_POINTS = 1_000_000  # points on the page; the files have all
_THUMBNAIL = 256


@dataclass(frozen=True, kw_only=True)
class View:
    """A photograph on the page, and its part of the cloud.

    Attributes:
        label: what its camera is called in the picture.
        photograph: its picture and its name.
        focal: in pixels of the network's image.
        pose: cam_to_world (4, 4); None where there is no camera.
        points: (H, W, 3) in the world.
        confidences: (H, W); a pixel of confidence 1 and less is no point.
    """

    label: str
    photograph: Photograph
    focal: float
    pose: Floats | None
    points: Floats
    confidences: Floats


def scene_views(scene: Scene, photographs: Sequence[Photograph]) -> list[View]:
    """The views of an aligned scene; their cameras have numbers."""
    return [
        View(
            label=str(number + 1),
            photograph=photograph,
            focal=float(scene.focals[number]),
            pose=scene.cam_to_world[number],
            points=points,
            confidences=np.where(photograph.shown(), scene.confidences[number], 1.0),
        )
        for number, (photograph, points) in enumerate(zip(photographs, scene.points(), strict=True))
    ]


def pair_views(scene: PairScene) -> list[View]:
    """The views of a pair, A and B, in the frame of A's camera."""
    return [
        View(
            label=label,
            photograph=photograph,
            focal=focal,
            pose=pose,
            points=points,
            confidences=confidences,
        )
        for label, photograph, focal, pose, points, confidences in zip(
            "AB",
            scene.photographs,
            scene.focals,
            (np.eye(4), scene.pose),
            scene.points,
            scene.confidences,
            strict=True,
        )
    ]


def render(
    title: str,
    views: Sequence[View],
    min_confidence: float,
    facts: Sequence[tuple[str, str]],
    warnings: Sequence[str] = (),
) -> str:
    """The page as HTML; the same scene always gives the same text.

    It holds every point with a confidence above 1, up to a million in all, and shows those of
    `min_confidence` and more at first.

    Args:
        views: the first one has a camera.
        facts: name and value of each line of the table.
        warnings: what a reader has to know before trusting the picture.
    """
    script = _file("page.js")
    parts = {
        "SCRIPT_SUM": "sha256-" + _base64(hashlib.sha256(script.encode()).digest()),
        "TITLE": _escaped(title),
        "VIEWS": "\n".join(_view_row(number, view) for number, view in enumerate(views)),
        "WARNINGS": "".join(
            f'<p class="warning">{_escaped(text[:1].upper() + text[1:])}.</p>' for text in warnings
        ),
        "FACTS": "".join(f"<tr><th>{_escaped(n)}<td>{_escaped(v)}" for n, v in facts),
        "CONTENT": _embedded(_content(views, min_confidence)),
        "SCRIPT": script,
    }
    # In one pass: what is put in is not searched again.
    return re.sub("@([A-Z_]+)@", lambda match: parts[match[1]], _file("page.html"))


def _content(views: Sequence[View], min_confidence: float) -> dict[str, Any]:
    """What the script reads."""
    chosen = _chosen(views)
    points = [view.points[keep].astype("<f4") for view, keep in zip(views, chosen, strict=True)]
    confidences = [
        view.confidences[keep].astype("<f4") for view, keep in zip(views, chosen, strict=True)
    ]
    poses = [view.pose if view.pose is not None else views[0].pose for view in views]
    depths = np.concatenate([_depths(part, pose) for part, pose in zip(points, poses, strict=True)])
    sure = np.concatenate(confidences) >= min_confidence
    ahead = depths[sure & (depths > 0)]
    return {
        "least": min_confidence,
        "depths": _span(depths[depths > 0], 0.1),
        "confidences": _span(np.concatenate(confidences), 0),
        "middle": float(np.median(ahead)) if len(ahead) else 1.0,
        "views": [
            {
                "label": view.label,
                "pose": None if view.pose is None else np.asarray(view.pose).ravel().tolist(),
                "half": [side / 2 / view.focal for side in view.confidences.shape[::-1]],
                "points": _base64(part.tobytes()),
                "colours": _base64(view.photograph.square[keep].tobytes()),
                "confidences": _base64(sureness.tobytes()),
            }
            for view, keep, part, sureness in zip(views, chosen, points, confidences, strict=True)
        ],
    }


def _chosen(views: Sequence[View]) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
    """The pixels (H, W) of each view that are on the page: all points, or a share drawn by lot."""
    chosen = [
        (view.confidences > 1) & np.isfinite(view.points.astype(np.float32)).all(-1)
        for view in views
    ]
    share = _MOST_POINTS / max(1, sum(int(keep.sum()) for keep in chosen))
    if share < 1:
        lots = np.random.default_rng(0)
        chosen = [keep & (lots.random(keep.shape) < share) for keep in chosen]
    return chosen


def _depths(points: Floats, pose: Floats | None) -> Floats:
    """Depths (M,) of points (M, 3) in a camera."""
    if pose is None:
        raise ValueError("the first view has no camera")
    return np.asarray((points - pose[:3, 3]) @ pose[:3, 2])


def _span(values: Floats, percent: float) -> list[float]:
    """The smallest and the largest value, without so many per cent at each end."""
    if not len(values):
        return [1.0, 1.0]
    return [float(value) for value in np.percentile(values, [percent, 100 - percent])]


def _view_row(number: int, view: View) -> str:
    look = f'<button id="look-{number}" type="button">Look through</button>'
    return (
        f'<div class="view"><input id="view-{number}" type="checkbox" checked>'
        f'<img alt="" src="{_picture(view.photograph)}">'
        f'<label for="view-{number}"><span><b>{escape(view.label)}</b>'
        f"{_escaped(view.photograph.name)}</span></label>"
        f"{look if view.pose is not None else ''}</div>"
    )


def _picture(photograph: Photograph) -> str:
    picture = Image.fromarray(photograph.square)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{_base64(stream.getvalue())}"


def _escaped(text: str) -> str:
    """Text of a user, whose names need not be UTF-8, for an element."""
    return escape(in_one_line(text))


def _embedded(content: Mapping[str, Any]) -> str:
    """JSON that cannot end the element which it is in."""
    return json.dumps(content).replace("<", "\\u003c")


def _file(name: str) -> str:
    return files("dust_eval.scene").joinpath(name).read_text(encoding="utf-8")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
