"""Choosing pairs among the frames of a recording by how much they see of one another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs import geometry
from dust_core.pairs.geometry import Floats

_STEP = 4


@dataclass(frozen=True)
class PosedDepth:
    """What one frame knows of the scene's geometry.

    Attributes:
        depth: (H, W), metres; 0 is unknown.
        intrinsics: (3, 3), pixels.
        cam_to_world: (4, 4), metres.
    """

    depth: Floats
    intrinsics: Floats
    cam_to_world: Floats


ViewT = TypeVar("ViewT", bound=PosedDepth)


@dataclass(frozen=True)
class Selection:
    """Which pairs are taken.

    Attributes:
        lowest, highest: bounds of covisibility, 0 ... 1, both allowed.
        window: a frame is paired with the `window` frames that follow it and no others, so that the
            work grows with the number of frames and not with its square.
        pairs_per_frame: at most so many pairs begin with one frame.
        seed: decides in which order the window is tried; nothing else is random.
    """

    lowest: float = 0.25
    highest: float = 0.95
    window: int = 30
    pairs_per_frame: int = 2
    seed: int = 42

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.highest <= 1:
            raise DustError(
                f"the bounds of overlap are {self.lowest:g} and {self.highest:g}",
                fix="both lie above 0 and up to 1, the lower one first",
            )


@dataclass(frozen=True)
class Chosen(Generic[ViewT]):
    """A pair of frames: their positions, what was loaded of them, the covisibility measured."""

    positions: tuple[int, int]
    views: tuple[ViewT, ViewT]
    covisibility: float


def view1_from_view2(first: PosedDepth, second: PosedDepth) -> Floats:
    """The (4, 4) pose that takes points of the second camera to the first."""
    return np.asarray(np.linalg.inv(first.cam_to_world) @ second.cam_to_world)


def covisibility(first: PosedDepth, second: PosedDepth) -> float:
    """The smaller of the shares that two views see of one another, 0 ... 1."""

    def share(seer: PosedDepth, seen: PosedDepth) -> float:
        pose = view1_from_view2(seer, seen)
        cameras = (seer.intrinsics, seen.intrinsics)
        return geometry.covisibility(seer.depth, seen.depth, *cameras, pose, _STEP)

    forward = share(first, second)
    return min(forward, share(second, first)) if forward else 0.0


def select(
    count: int,
    view: Callable[[int], ViewT | None],
    selection: Selection,
    on_measured: Callable[[float], None] = lambda _: None,
) -> Iterator[Chosen[ViewT]]:
    """Pairs of the frames 0 ... count - 1 within the bounds, by the position of their first frame.

    Args:
        view: loads one frame, or gives None if it cannot be used; it is called once for each, and
            a window of them is held.
        on_measured: gets every covisibility that was measured, taken or not.
    """
    held: dict[int, ViewT | None] = {}

    def at(position: int) -> ViewT | None:
        if position not in held:
            held[position] = view(position)
        return held[position]

    for first in range(count):
        following = np.arange(first + 1, min(count, first + 1 + selection.window))
        order = np.random.default_rng((selection.seed, first)).permutation(following)
        taken = 0
        for second in map(int, order):
            if taken == selection.pairs_per_frame:
                break
            first_view, second_view = at(first), at(second)
            if first_view is None:
                break
            if second_view is None:
                continue
            measured = covisibility(first_view, second_view)
            on_measured(measured)
            if selection.lowest <= measured <= selection.highest:
                taken += 1
                yield Chosen((first, second), (first_view, second_view), measured)
        held.pop(first, None)
