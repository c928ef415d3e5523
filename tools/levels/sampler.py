"""Views of a level that see one another: pairs, and cliques of several.

A view is tried at preview size first; only views that pass are drawn large.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from levels.camera import Camera, heading
from levels.overlap import covisibility
from levels.photo import fault
from levels.places import Places
from levels.render import Renderer, Rendering

PREVIEW = 64

_ANCHOR_TRIES = 200
_PAIR_TRIES = 400
_NEIGHBOURS_PER_ANCHOR = 6
_CLIQUE_TRIES = 60
_NEIGHBOURS_PER_CLIQUE = 60


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The least and the greatest covisibility of two views, 0 ... 1."""

    least: float = 0.2
    most: float = 0.95

    def allow(self, overlap: float) -> bool:
        """Whether a covisibility is within the limits."""
        return self.least <= overlap <= self.most


@dataclass(frozen=True)
class Pair:
    """Two views of one place.

    Attributes:
        covisibility: the smaller of the shares that they see of one another, 0 ... 1.
    """

    first: Rendering
    second: Rendering
    covisibility: float

    @classmethod
    def of(cls, first: Rendering, second: Rendering) -> "Pair":
        """The pair of two views; their covisibility is measured on about 100 x 100 pixels."""
        return cls(first, second, covisibility(first, second, max(1, first.size // 96)))


class Sampler:
    """Draws cameras in one level.

    The views depend on the level and on `random` only, so a seed makes the same set again.
    """

    def __init__(self, renderer: Renderer, random: np.random.Generator) -> None:
        self._renderer = renderer
        self._random = random
        self._places = Places(renderer.scene.level)

    def pairs(self, size: int, limits: Limits) -> Iterator[Pair]:
        """Pairs of views without end, `size` x `size`.

        Raises:
            DustError: hundreds of tries give no pair.
        """
        while True:
            pair = Pair.of(*(self._renderer.render(c, size) for c in self._pair(limits)))
            if limits.allow(pair.covisibility):
                yield pair

    def cliques(self, views: int, size: int, limits: Limits) -> Iterator[tuple[Rendering, ...]]:
        """Cliques without end: `views` views in which every two overlap within `limits`.

        Raises:
            DustError: many tries give no clique.
        """
        while True:
            clique = [self._renderer.render(c, size) for c in self._clique(views, limits)]
            if all(limits.allow(Pair.of(a, b).covisibility) for a, b in combinations(clique, 2)):
                yield tuple(clique)

    def anchor(self) -> Rendering:
        """A preview from anywhere in the level that is worth keeping.

        Raises:
            DustError: many tries give no preview.
        """
        random = self._random
        for _ in range(_ANCHOR_TRIES):
            camera = Camera.at(
                self._places.draw(random),
                yaw=random.uniform(-np.pi, np.pi),
                pitch=np.clip(random.normal(-0.06, 0.22), -0.8, 0.8),
                roll=self._roll(),
                fov_deg=random.uniform(45.0, 85.0),
            )
            view = self._renderer.render(camera, PREVIEW)
            if not fault(view):
                return view
        raise self._barren("view", _ANCHOR_TRIES)

    def neighbour(self, of: Rendering) -> Rendering | None:
        """A preview from somewhere near `of` that looks at what `of` sees; None if it is poor."""
        random = self._random
        distance = float(np.median(of.depth[of.depth > 0]))
        pose = of.camera.cam_to_world
        kind = random.random()
        if kind < 0.70:
            step = distance * (0.03 + 1.3 * random.random() ** 1.5)
            eye = of.camera.eye + step * _direction(random, flat=0.3)
            yaw, pitch = heading(self._point_seen(of) - eye)
            yaw, pitch = yaw + random.normal(0.0, 0.12), pitch + random.normal(0.0, 0.07)
        elif kind < 0.85:
            along = random.choice([-1.0, 1.0]) * random.uniform(0.1, 0.6) * distance
            eye = of.camera.eye + along * pose[:3, 2] + random.normal(0.0, 0.1, 3)
            yaw, pitch = heading(pose[:3, 2])
            yaw, pitch = yaw + random.normal(0.0, 0.1), pitch + random.normal(0.0, 0.05)
        else:
            step = distance * random.uniform(0.02, 0.2)
            eye = of.camera.eye + step * _direction(random, flat=0.3)
            turn = np.radians(of.camera.fov_deg) * random.uniform(0.2, 0.75)
            yaw, pitch = heading(pose[:3, 2])
            yaw, pitch = yaw + random.choice([-1.0, 1.0]) * turn, pitch + random.normal(0.0, 0.08)
        if not self._places.is_free(eye):
            return None
        fov = of.camera.fov_deg
        if random.random() < 0.5:
            fov = float(np.clip(fov * random.uniform(0.8, 1.25), 45.0, 85.0))
        camera = Camera.at(
            eye, yaw=yaw, pitch=np.clip(pitch, -1.2, 1.2), roll=self._roll(), fov_deg=fov
        )
        view = self._renderer.render(camera, PREVIEW)
        return None if fault(view) else view

    def _pair(self, limits: Limits) -> tuple[Camera, Camera]:
        for _ in range(_PAIR_TRIES):
            first = self.anchor()
            for _ in range(_NEIGHBOURS_PER_ANCHOR):
                second = self.neighbour(first)
                if second is None:
                    continue
                if limits.allow(covisibility(first, second, 2)):
                    # The order of the two must not depend on which view was chosen freely.
                    swap = self._random.random() < 0.5
                    pair = (second, first) if swap else (first, second)
                    return pair[0].camera, pair[1].camera
        raise self._barren("pair", _PAIR_TRIES)

    def _clique(self, views: int, limits: Limits) -> list[Camera]:
        # Previews are coarse: a view that barely passes may fail at full size.
        careful = replace(limits, least=limits.least + 0.02, most=limits.most - 0.02)
        for _ in range(_CLIQUE_TRIES):
            clique = [self.anchor()]
            for _ in range(_NEIGHBOURS_PER_CLIQUE):
                candidate = self.neighbour(clique[self._random.integers(len(clique))])
                if candidate is not None and all(
                    careful.allow(covisibility(candidate, member, 2)) for member in clique
                ):
                    clique.append(candidate)
                if len(clique) == views:
                    return [member.camera for member in clique]
        raise self._barren(f"clique of {views} views", _CLIQUE_TRIES)

    def _roll(self) -> float:
        """Most pictures are held nearly level, one in twenty is not."""
        spread = 0.35 if self._random.random() < 0.05 else 0.06
        return float(self._random.normal(0.0, spread))

    def _point_seen(self, view: Rendering) -> NDArray[np.float64]:
        """(3,) a point of the world that `view` sees, away from the edge of its picture."""
        known = np.argwhere(view.depth > 0)
        middle = known[np.all(np.abs(known - view.size / 2) < 0.35 * view.size, axis=1)]
        choice = middle if len(middle) else known
        row, column = choice[self._random.integers(len(choice))]
        ray = np.linalg.inv(view.camera.intrinsics(view.size)) @ [column, row, 1.0]
        pose = view.camera.cam_to_world
        return np.asarray(pose[:3, :3] @ ray * view.depth[row, column] + pose[:3, 3])

    def _barren(self, what: str, tries: int) -> DustError:
        return DustError(
            f"no {what} worth keeping in {tries} tries",
            where=self._renderer.scene.name,
            fix="list the level under [skip] in splits.toml",
        )


def _direction(random: np.random.Generator, flat: float) -> NDArray[np.float64]:
    """(3,) a direction to move in: any heading, rising or falling by `flat` at most."""
    angle = random.uniform(-np.pi, np.pi)
    return np.array([np.cos(angle), np.sin(angle), random.uniform(-flat, flat)])
