"""From the recordings of a layout to the samples of shards: one pair after another, none kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode, place
from dust_core.pairs.importing.adapters import Frame, Layout, Recording
from dust_core.pairs.importing.adapters.files import open_image, read_image
from dust_core.pairs.importing.choose import Chosen, PosedDepth, Selection, select, view1_from_view2
from dust_core.pairs.shards.sample import Members, PairSample, encode


@dataclass(frozen=True)
class Settings:
    """What is made of the frames.

    Attributes:
        side: of the images, pixels.
        mode: how they become squares.
        selection: which pairs are taken.
        split, source, licence: what the samples say of themselves.
        scenes: patterns (`*`, `?`) of the scenes that are taken; empty takes all.
        picture: `jpg` or `png`.
        quality: of JPEGs.
        depth_unit_m: the step of stored depth, metres.
    """

    side: int = 512
    mode: Mode = Mode.CROP
    selection: Selection = field(default_factory=Selection)
    split: str = "training"
    source: str = ""
    licence: str = "not stated"
    scenes: tuple[str, ...] = ()
    picture: str = "jpg"
    quality: int = 95
    depth_unit_m: float = 0.001


@dataclass
class Tally:
    """What has passed so far.

    Attributes:
        scenes: with at least one pair.
        without: scenes none of whose frames make a pair.
        frames, pairs: how many.
        rejected: the covisibility measured nearest to the bounds among those outside.
    """

    scenes: set[str] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    frames: int = 0
    pairs: int = 0
    rejected: float | None = None


Progress = Callable[[Recording, int, Tally], None]


def samples(
    layout: Layout,
    source: Path,
    settings: Settings,
    tally: Tally,
    *,
    skip: int = 0,
    on_frame: Progress = lambda *_: None,
) -> Iterator[Members]:
    """The samples of all pairs, in an order that follows from the source and the settings.

    Args:
        tally: is kept up to date.
        skip: for so many pairs at the beginning an empty sample is given, as the writer has them.
        on_frame: gets the recording, how many of its frames are done, and the tally.

    Raises:
        DustError: a file is missing or unreadable, a pose is wrong, or nothing overlaps.
    """
    any_scene = False
    for recording in layout.recordings(source):
        if settings.scenes and not _matches(recording.scene, settings.scenes):
            continue
        any_scene = True
        tally.frames += len(recording.frames)
        before = tally.pairs
        for pair in _pairs(recording, settings, tally):
            on_frame(recording, pair.positions[0], tally)
            tally.pairs += 1
            made = tally.pairs > skip
            yield _sample(recording, pair, settings) if made else {}
        on_frame(recording, len(recording.frames), tally)
        (tally.scenes if tally.pairs > before else tally.without).add(recording.scene)
    tally.without -= tally.scenes
    if not any_scene:
        raise DustError(
            f"no scene matches {', '.join(settings.scenes)}" if settings.scenes else "no scene",
            where=str(source),
            fix="check --scene",
        )
    if not tally.pairs:
        raise _nothing_overlaps(source, settings.selection, tally)


def _pairs(recording: Recording, settings: Settings, tally: Tally) -> Iterator[Chosen]:
    bounds = settings.selection

    def load(position: int) -> PosedDepth:
        return _view(recording.frames[position], settings)

    def note(measured: float) -> None:
        def outside(value: float) -> float:
            return max(bounds.lowest - value, value - bounds.highest)

        if outside(measured) > 0 and (
            tally.rejected is None or outside(measured) < outside(tally.rejected)
        ):
            tally.rejected = measured

    return select(len(recording.frames), load, bounds, note)


def _view(frame: Frame, settings: Settings) -> PosedDepth:
    depth = frame.read_depth()
    with open_image(frame.image) as picture:
        width, height = picture.size
    if depth.shape != (height, width):
        raise DustError(
            f"the image is {width}x{height}, its depth {depth.shape[1]}x{depth.shape[0]}",
            where=str(frame.image),
            fix="give depth registered to the image, pixel by pixel",
        )
    placement = place(width, height, settings.side, settings.mode)
    intrinsics = placement.intrinsics(frame.intrinsics)
    return PosedDepth(placement.depth(depth), intrinsics, frame.cam_to_world)


def _sample(recording: Recording, pair: Chosen, settings: Settings) -> Members:
    frames = [recording.frames[position] for position in pair.positions]
    first, second = pair.views
    sample = PairSample(
        images=(_image(frames[0], settings), _image(frames[1], settings)),
        depths=(first.depth, second.depth),
        intrinsics=(first.intrinsics, second.intrinsics),
        view1_from_view2=view1_from_view2(first, second),
        about={
            "scene": recording.scene,
            "images": [frame.name for frame in frames],
            "split": settings.split,
            "covisibility": round(pair.covisibility, 4),
            "source": settings.source,
            "licence": settings.licence,
        },
    )
    return encode(
        sample,
        depth_unit_m=settings.depth_unit_m,
        picture=settings.picture,
        quality=settings.quality,
    )


def _image(frame: Frame, settings: Settings) -> NDArray[np.uint8]:
    picture = read_image(frame.image)
    return place(*picture.size, settings.side, settings.mode).image(picture)


def _matches(scene: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(scene, pattern) for pattern in patterns)


def _nothing_overlaps(source: Path, bounds: Selection, tally: Tally) -> DustError:
    nearest = "none was measured" if tally.rejected is None else f"{100 * tally.rejected:.0f} %"
    return DustError(
        f"no two of {tally.frames} frames overlap by {100 * bounds.lowest:.0f} to "
        f"{100 * bounds.highest:.0f} % within {bounds.window} frames of one another; "
        f"the nearest: {nearest}",
        where=str(source),
        fix="if poses (camera-to-world?), depth unit and intrinsics are right, change "
        "--min-overlap, --max-overlap or --window",
    )
