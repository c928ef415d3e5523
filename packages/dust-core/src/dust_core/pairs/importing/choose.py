"""Choosing pairs among the frames of a recording by how much they see of one another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs import geometry
from dust_core.pairs.geometry import Floats

_STEP = 4
MOST_VIEWS = 12  # of a clique: the search for larger ones may take very long


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
        clique: None; or take so many frames that all overlap within the bounds, the first such of
            the recording, with each pair of them once. `pairs_per_frame` does not count then.
    """

    lowest: float = 0.25
    highest: float = 0.95
    window: int = 30
    pairs_per_frame: int = 2
    seed: int = 42
    clique: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.highest <= 1:
            raise DustError(
                f"the bounds of overlap are {self.lowest:g} and {self.highest:g}",
                fix="both lie above 0 and up to 1, the lower one first",
            )
        if self.clique is not None and not 2 <= self.clique <= min(MOST_VIEWS, self.window + 1):
            raise DustError(
                f"a clique of {self.clique} views within {self.window + 1} frames",
                fix=f"it has 2 to {MOST_VIEWS} views, and --window is at least one less",
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

    With `selection.clique` these are the pairs of one clique, or none.

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

    if selection.clique is not None:
        yield from _clique(count, at, held, selection, selection.clique, on_measured)
        return
    for first in range(count):
        taken = 0
        for second in _following(first, count, selection):
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


def _following(first: int, count: int, selection: Selection) -> list[int]:
    """The frames of the window after `first`, in the order in which they are tried."""
    following = np.arange(first + 1, min(count, first + 1 + selection.window))
    order = np.random.default_rng((selection.seed, first)).permutation(following)
    return [int(position) for position in order]


def _clique(
    count: int,
    at: Callable[[int], ViewT | None],
    held: dict[int, ViewT | None],
    selection: Selection,
    views: int,
    on_measured: Callable[[float], None],
) -> Iterator[Chosen[ViewT]]:
    """The pairs of the first `views` frames that all overlap; a pair is measured once."""
    measured: dict[tuple[int, int], float] = {}

    def overlap(one: int, other: int) -> bool:
        key = (min(one, other), max(one, other))
        if key not in measured:
            first, second = at(key[0]), at(key[1])
            if first is None or second is None:
                measured[key] = 0.0
            else:
                measured[key] = covisibility(first, second)
                on_measured(measured[key])
        return selection.lowest <= measured[key] <= selection.highest

    def grown(members: list[int], candidates: list[int]) -> list[int] | None:
        """The members with as many candidates as are missing, all of which overlap."""
        missing = views - len(members)
        if not missing:
            return members
        for index in range(len(candidates) - missing + 1):
            chosen = candidates[index]
            left = [other for other in candidates[index + 1 :] if overlap(chosen, other)]
            if found := grown([*members, chosen], left):
                return found
        return None

    for first in range(count):
        near = [other for other in _following(first, count, selection) if overlap(first, other)]
        clique = grown([first], near)
        if clique is not None:
            for pair in combinations(sorted(clique), 2):
                one, other = at(pair[0]), at(pair[1])
                if one is not None and other is not None:
                    yield Chosen(pair, (one, other), measured[pair])
            return
        held.pop(first, None)
        measured = {pair: share for pair, share in measured.items() if first not in pair}
