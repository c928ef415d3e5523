"""A page that shows a scene offline: cloud, cameras, photographs, figures."""

import base64
import io
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files

import numpy as np
from PIL import Image

from dust_core.pairs.pictures.photographs import Photograph
from dust_eval.scene.align import Scene
from dust_eval.scene.cloud import Cloud

_MOST_POINTS = 250_000  # points on the page; the files have all
_THUMBNAIL = 256


def render(
    scene: Scene, cloud: Cloud, photographs: Sequence[Photograph], facts: Sequence[tuple[str, str]]
) -> str:
    """The page as HTML; the same scene always gives the same text.

    Args:
        facts: name and value of each line of the table.
    """
    step = -(-len(cloud.points) // _MOST_POINTS)
    points = cloud.points[::step].astype("<f4")
    content = {
        "points": _base64(points.tobytes()),
        "colours": _base64(np.ascontiguousarray(cloud.colours[::step]).tobytes()),
        "cameras": [
            {"pose": pose.ravel().tolist(), "half": photograph.placement.side / 2 / float(focal)}
            for pose, photograph, focal in zip(
                scene.cam_to_world, photographs, scene.focals, strict=True
            )
        ],
        "centre": np.median(points, 0).tolist(),
        "radius": float(np.median(np.linalg.norm(points - np.median(points, 0), axis=1))) or 1.0,
    }
    rows = "".join(f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in facts)
    pictures = "".join(
        f'<figure><img alt="" src="{_picture(photograph)}">'
        f"<figcaption>{escape(photograph.name)}</figcaption></figure>"
        for photograph in photographs
    )
    template = files("dust_eval.scene").joinpath("page.html").read_text(encoding="utf-8")
    return (
        template.replace("@FACTS@", rows)
        .replace("@CONTENT@", json.dumps(content))
        .replace("@PICTURES@", pictures)
    )


def _picture(photograph: Photograph) -> str:
    picture = Image.fromarray(photograph.square)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{_base64(stream.getvalue())}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
