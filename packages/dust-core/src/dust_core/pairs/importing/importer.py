"""From the recordings of a layout to the samples of shards: one pair after another, none kept."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from pathlib import Path

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode
from dust_core.pairs.importing.adapters import Layout, Recording, Scene
from dust_core.pairs.importing.adapters.base import Frame, LeftOut, first_of_each
from dust_core.pairs.importing.choose import Chosen, Selection, select, view1_from_view2
from dust_core.pairs.importing.journal import Done, Journal
from dust_core.pairs.importing.parallel import Made, Readers, in_processes
from dust_core.pairs.importing.tally import Tally
from dust_core.pairs.importing.view import View, read_view
from dust_core.pairs.shards.sample import Members, PairSample, encode

_SPOOL = "scenes"


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


@dataclass(frozen=True)
class Step:
    """How far an import is.

    Attributes:
        scene: the one in hand.
        frames: how many of its frames are done, and of how many.
        scenes: how many scenes are done.
        pairs: how many pairs there are so far, those of the scene in hand among them.
    """

    scene: str
    frames: tuple[int, int]
    scenes: int
    pairs: int


Progress = Callable[[Step], None]


def samples(
    layout: Layout,
    source: Path,
    settings: Settings,
    tally: Tally,
    *,
    skip: int = 0,
    readers: Readers | None = None,
    folder: Path | None = None,
    on_step: Progress = lambda _: None,
) -> Iterator[Members]:
    """The samples of all pairs, in an order that follows from the source and the settings.

    Args:
        tally: has what is done, scene by scene.
        skip: for so many pairs at the beginning an empty sample may be given, as the writer has
            them. Scenes that lie in them and that the journal has are not read.
        readers: processes that read scenes; samples and their order do not depend on them. None:
            this process reads.
        folder: for the journal and for files between processes; None: neither.

    Raises:
        DustError: there is no scene, nothing of it can be used, nothing overlaps, or a strict
            import met a fault.
    """
    found = layout.scenes(source)
    found = first_of_each(found) if settings.selection.clique else found
    wanted = (scene for scene in found if _matches(scene.name, settings.scenes))
    journal = None if folder is None else Journal(folder)
    outside = partial(_outside, settings.selection)
    scenes, done = _without_finished(wanted, journal.finished(skip) if journal else [])
    if journal is not None:
        journal.begin(done)
    count = 0
    for _, part in done:
        count += 1
        tally.add(part, outside)
        yield from ({} for _ in range(part.pairs))
    made: Generator[Made, None, None]
    if readers is not None and folder is not None:
        made = in_processes(scenes, partial(scene_samples, settings), readers, folder / _SPOOL)
    else:

        def show(scene: str, part: Tally, frames: tuple[int, int]) -> None:
            on_step(Step(scene, frames, count, tally.pairs + part.pairs))

        made = _in_turn(scenes, settings, lambda: skip - tally.pairs, show)
    with closing(made):  # at an error too, before anyone holds on to it
        for name, part, stream in made:
            yield from stream
            count += 1
            tally.add(part, outside)
            if journal is not None:
                journal.add(name, part)
            on_step(Step(name, (part.found, part.found), count, tally.pairs))
    tally.without -= tally.scenes
    if not tally.pairs:
        raise _nothing_made(source, settings, tally, count)


def scene_samples(
    settings: Settings,
    scene: Scene,
    tally: Tally,
    skip: int = 0,
    on_frame: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[Members]:
    """The samples of a scene, empty for the first `skip` pairs, and its tally.

    Raises:
        DustError: a strict import met a fault.
    """
    recording = _recording(scene, settings, tally)
    used: set[int] = set()
    for pair in _pairs(scene.name, recording, settings, tally):
        on_frame(pair.positions[0], len(recording.frames))
        tally.pairs += 1
        tally.used += len(set(pair.positions) - used)
        used.update(pair.positions)
        yield _sample(scene.name, pair, settings) if tally.pairs > skip else {}
    if tally.pairs:
        tally.scenes.add(scene.name)
    elif recording.frames or recording.left_out:  # else it is left out as a whole
        tally.without.add(scene.name)


def _in_turn(
    scenes: Iterator[Scene],
    settings: Settings,
    skip: Callable[[], int],
    show: Callable[[str, Tally, tuple[int, int]], None],
) -> Generator[Made, None, None]:
    """As `in_processes`, in this process: the tally is complete after the samples."""
    for scene in scenes:
        part = Tally()

        def on_frame(frame: int, frames: int, scene: Scene = scene, part: Tally = part) -> None:
            show(scene.name, part, (frame, frames))

        yield scene.name, part, scene_samples(settings, scene, part, skip(), on_frame)


def _without_finished(
    scenes: Iterator[Scene], finished: list[Done]
) -> tuple[Iterator[Scene], list[Done]]:
    """The scenes that are left, and the finished ones, as far as both agree from the start."""
    for number, (name, _) in enumerate(finished):
        scene = next(scenes, None)
        if scene is None or scene.name != name:
            return chain([scene] if scene else [], scenes), finished[:number]
    return scenes, finished


def _recording(scene: Scene, settings: Settings, tally: Tally) -> Recording:
    """The frames of a scene; none if the scene as a whole is left out."""
    try:
        recording = scene.read()
        if not recording.frames and not recording.left_out:
            raise DustError("it lists no frame", where=scene.name, fix="complete the data set")
    except DustError as error:
        tally.leave_out(scene.name, LeftOut(scene.name, error, "scene"), settings.strict)
        return Recording([])
    recording = _each_once(recording)
    for without in recording.left_out:
        tally.leave_out(scene.name, without, settings.strict)
    tally.found += len(recording.frames)
    tally.found += sum(without.kind == "frame" for without in recording.left_out)
    for remark in recording.remarks:
        tally.remarks[f"{scene.name}: {remark}"] += 0
    return recording


def _each_once(recording: Recording) -> Recording:
    """The recording without frames whose picture an earlier frame has."""
    frames: dict[Path, Frame] = {}
    left_out = list(recording.left_out)
    for frame in recording.frames:
        if frames.setdefault(frame.image, frame) is not frame:
            why = DustError("the frame is listed twice", where=str(frame.image), fix="list it once")
            left_out.append(LeftOut(frame.name, why))
    return Recording(list(frames.values()), left_out, recording.remarks)


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
        if _outside(bounds, measured) > 0 and (
            tally.rejected is None or _outside(bounds, measured) < _outside(bounds, tally.rejected)
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


def _outside(bounds: Selection, value: float) -> float:
    """How far a covisibility is outside the bounds; negative inside."""
    return max(bounds.lowest - value, value - bounds.highest)


def _matches(scene: str, patterns: tuple[str, ...]) -> bool:
    """Whether a scene is wanted; without patterns all are."""
    return not patterns or any(fnmatchcase(scene, pattern) for pattern in patterns)


def _nothing_made(source: Path, settings: Settings, tally: Tally, scenes: int) -> DustError:
    if not scenes:
        patterns = ", ".join(settings.scenes)
        return DustError(
            f"no scene matches {patterns}" if patterns else "no scene",
            where=str(source),
            fix="check --scene",
        )
    return tally.nothing_usable() or _nothing_overlaps(source, settings.selection, tally)


def _nothing_overlaps(source: Path, bounds: Selection, tally: Tally) -> DustError:
    nearest = "none was measured" if tally.rejected is None else f"{100 * tally.rejected:.0f} %"
    together = f"{bounds.clique} of a recording's" if bounds.clique else f"two of {tally.found}"
    return DustError(
        f"no {together} frames overlap by {100 * bounds.lowest:.0f} to "
        f"{100 * bounds.highest:.0f} % within {bounds.window} frames of one another; "
        f"the nearest: {nearest}",
        where=str(source),
        fix="if poses (camera-to-world?), depth unit and intrinsics are right, change "
        "--min-overlap, --max-overlap or --window",
    )
