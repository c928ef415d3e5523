"""Frames of a video as pictures, read by OpenCV."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.pictures.formats import HEAD, VIDEO, kind_of
from dust_core.pairs.pictures.read import Picture
from dust_core.visible import is_utf8

_SILENT = "-8"
_WHOLE = 0.9  # some containers state a number that is estimated


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its content."""
    with path.open("rb") as stream:
        return kind_of(stream.read(HEAD)) == VIDEO


def read_video(path: Path, every: int) -> Iterator[tuple[str, Picture]]:
    """Name and picture of the first of each `every` frames, turned as the video says.

    Raises:
        DustError: OpenCV reads no frame, or, after those that it reads, fewer than are stated.
    """
    if not is_utf8(path):
        raise DustError(
            "the path is not UTF-8, and OpenCV takes no such path",
            where=str(path),
            fix="rename it, or make a link to it with another name",
        )
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _SILENT)  # for FFmpeg's own threads
    import cv2

    with _quiet():
        video = cv2.VideoCapture(str(path))
    stated = video.get(cv2.CAP_PROP_FRAME_COUNT)
    number = 0
    try:
        while _grab(video):
            if number % every == 0:
                there, frame = video.retrieve()
                if there:
                    image = Image.fromarray(frame[..., ::-1].copy())
                    yield f"{path.stem}-{number:06d}", Picture(image, None, image.size, ())
            number += 1
    finally:
        video.release()
    if not number:
        raise DustError(
            "no frame of the video can be read",
            where=str(path),
            fix="copy it again, or convert it to MP4 with H.264",
        )
    if number < _WHOLE * stated:
        raise DustError(
            f"the video is cut off or damaged: {number} of {stated:.0f} frames can be read",
            where=str(path),
            fix="copy it again, or convert what can be read of it",
        )


def _grab(video: Any) -> bool:
    with _quiet():
        return bool(video.grab())


@contextmanager
def _quiet() -> Iterator[None]:
    """A block in which FFmpeg and OpenCV do not write to standard error: our error says it."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
