"""Frames of a video as pictures, read by OpenCV."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.pictures.formats import HEAD, VIDEO, kind_of
from dust_core.pairs.pictures.read import Picture


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its content."""
    with path.open("rb") as stream:
        return kind_of(stream.read(HEAD)) == VIDEO


def read_video(path: Path, every: int) -> Iterator[tuple[str, Picture]]:
    """Name and picture of the first of each `every` frames, turned as the video says.

    Raises:
        DustError: OpenCV reads no frame.
    """
    import cv2

    video = cv2.VideoCapture(str(path))
    number = 0
    try:
        while video.grab():
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
            fix="convert it to MP4 with H.264, or give its frames as pictures",
        )
