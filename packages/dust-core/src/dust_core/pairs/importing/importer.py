"""From the recordings of a layout to the samples of shards: one pair after another, none kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode
from dust_core.pairs.importing.adapters import Layout, Recording, Scene
from dust_core.pairs.importing.adapters.base import LeftOut
from dust_core.pairs.importing.choose import Chosen, Selection, select, view1_from_view2
from dust_core.pairs.importing.tally import Tally
from dust_core.pairs.importing.view import View, read_view
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
        depth_unit_m: the step of stored depth, metres; None takes what each view needs.
        strict: the first fault of a frame or a scene stops the import; otherwise it is counted.
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
    depth_unit_m: float | None = None
    strict: bool = False


Progress = Callable[[str, Recording, int, Tally], None]


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
        on_frame: gets the scene, its recording, how many of its frames are done, and the tally.

    Raises:
        DustError: there is no scene, nothing of it can be used, nothing overlaps, or a strict
            import met a fault.
    """
    any_scene = False
    for scene in layout.scenes(source):
        if settings.scenes and not _matches(scene.name, settings.scenes):
            continue
        any_scene = True
        recording = _recording(scene, settings, tally)
        before, used = tally.pairs, set[int]()
        for pair in _pairs(scene.name, recording, settings, tally):
            on_frame(scene.name, recording, pair.positions[0], tally)
            tally.pairs += 1
            tally.used += len(set(pair.positions) - used)
            used.update(pair.positions)
            made = tally.pairs > skip
            yield _sample(scene.name, pair, settings) if made else {}
        on_frame(scene.name, recording, len(recording.frames), tally)
        (tally.scenes if tally.pairs > before else tally.without).add(scene.name)
    tally.without -= tally.scenes
    if not any_scene:
        raise DustError(
            f"no scene matches {', '.join(settings.scenes)}" if settings.scenes else "no scene",
            where=str(source),
            fix="check --scene",
        )
    if not tally.pairs:
        raise tally.nothing_usable() or _nothing_overlaps(source, settings.selection, tally)


def _recording(scene: Scene, settings: Settings, tally: Tally) -> Recording:
    """The frames of a scene; none if the scene as a whole is left out."""
    try:
        recording = scene.read()
    except DustError as error:
        tally.leave_out(scene.name, LeftOut(scene.name, error, "scene"), settings.strict)
        return Recording([])
    for without in recording.left_out:
        tally.leave_out(scene.name, without, settings.strict)
    tally.found += len(recording.frames)
    tally.found += sum(without.kind == "frame" for without in recording.left_out)
    for remark in recording.remarks:
        tally.remarks[f"{scene.name}: {remark}"] += 0
    return recording


def _pairs(
    scene: str, recording: Recording, settings: Settings, tally: Tally
) -> Iterator[Chosen[View]]:
    bounds = settings.selection

    def load(position: int) -> View | None:
        frame = recording.frames[position]
        try:
            view = read_view(frame, settings.side, settings.mode, settings.depth_unit_m)
        except DustError as error:
            tally.leave_out(scene, LeftOut(frame.name, error), settings.strict)
            return None
        tally.take(view)
        return view

    def note(measured: float) -> None:
        def outside(value: float) -> float:
            return max(bounds.lowest - value, value - bounds.highest)

        if outside(measured) > 0 and (
            tally.rejected is None or outside(measured) < outside(tally.rejected)
        ):
            tally.rejected = measured

    return select(len(recording.frames), load, bounds, note)


def _sample(scene: str, pair: Chosen[View], settings: Settings) -> Members:
    first, second = pair.views
    sample = PairSample(
        images=(first.image, second.image),
        depths=(first.depth, second.depth),
        intrinsics=(first.intrinsics, second.intrinsics),
        view1_from_view2=view1_from_view2(first, second),
        about={
            "scene": scene,
            "images": [first.name, second.name],
            "split": settings.split,
            "covisibility": round(pair.covisibility, 4),
            "source": settings.source,
            "licence": settings.licence,
        },
    )
    return encode(
        sample,
        depth_unit_m=(first.stored.unit_m, second.stored.unit_m),
        picture=settings.picture,
        quality=settings.quality,
    )


def _matches(scene: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(scene, pattern) for pattern in patterns)


def _nothing_overlaps(source: Path, bounds: Selection, tally: Tally) -> DustError:
    nearest = "none was measured" if tally.rejected is None else f"{100 * tally.rejected:.0f} %"
    return DustError(
        f"no two of {tally.found} frames overlap by {100 * bounds.lowest:.0f} to "
        f"{100 * bounds.highest:.0f} % within {bounds.window} frames of one another; "
        f"the nearest: {nearest}",
        where=str(source),
        fix="if poses (camera-to-world?), depth unit and intrinsics are right, change "
        "--min-overlap, --max-overlap or --window",
    )
