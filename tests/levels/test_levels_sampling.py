"""Which views are drawn: places, pairs, cliques, and the split they are drawn from."""

from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
from miniature_level import Miniature, Room, write_game

from dust_core.errors import DustError
from levels.bsp import read_level
from levels.overlap import covisibility
from levels.photo import fault
from levels.places import Places
from levels.render import Renderer
from levels.sampler import Limits, Sampler
from levels.space import UNIT_M
from levels.splits import read_splits


def test_places_are_all_over_the_open_space(game: Miniature) -> None:
    level = read_level(game.archives(), "room")
    places, random = Places(level), np.random.default_rng(0)
    eyes = np.array([places.draw(random) for _ in range(400)])
    assert all(level.space.is_free(eye) for eye in eyes)
    room = Room().inside
    share = (eyes / UNIT_M - room.low) / (np.array(room.high) - room.low)
    for axis in range(3):
        assert (np.histogram(share[:, axis], bins=4, range=(0, 1))[0] > 20).all()


def test_a_level_without_spots_is_refused(tmp_path: Path) -> None:
    game = write_game(tmp_path / "a.pk3", Room(spots=((0.0, 0.0, 10.0),)))
    with pytest.raises(DustError, match="two places to stand"):
        Places(read_level(game.archives(), "room"))


def test_pairs_overlap_within_the_limits_and_vary(renderer: Renderer) -> None:
    limits = Limits(least=0.3, most=0.9)
    pairs = list(islice(Sampler(renderer, np.random.default_rng(1)).pairs(64, limits), 24))
    assert all(0.3 <= covisibility(pair.first, pair.second) <= 0.9 for pair in pairs)
    assert not any(fault(view) for pair in pairs for view in (pair.first, pair.second))
    views = [view.camera for pair in pairs for view in (pair.first, pair.second)]
    assert max(v.fov_deg for v in views) - min(v.fov_deg for v in views) > 20
    baselines = [np.linalg.norm(p.first.camera.eye - p.second.camera.eye) for p in pairs]
    assert min(baselines) < 0.4 and max(baselines) > 1.5


def test_a_seed_draws_the_same_pairs_again(renderer: Renderer) -> None:
    def poses(seed: int) -> list[np.ndarray]:
        sampler = Sampler(renderer, np.random.default_rng(seed))
        pairs = islice(sampler.pairs(64, Limits()), 3)
        return [v.camera.cam_to_world for pair in pairs for v in (pair.first, pair.second)]

    assert all((a == b).all() for a, b in zip(poses(5), poses(5), strict=True))
    assert not all((a == b).all() for a, b in zip(poses(5), poses(6), strict=True))


def test_every_two_views_of_a_clique_overlap(renderer: Renderer) -> None:
    limits = Limits(least=0.25, most=0.9)
    clique = next(Sampler(renderer, np.random.default_rng(2)).cliques(5, 128, limits))
    assert len(clique) == 5
    assert all(0.25 <= covisibility(a, b) <= 0.9 for a, b in combinations(clique, 2))


def test_a_level_with_nothing_to_see_ends_in_a_message(tmp_path: Path, opengl: None) -> None:
    scene = write_game(tmp_path / "a.pk3", Room(without=("east", "west", "north", "south"))).scene()
    with Renderer(scene) as renderer, pytest.raises(DustError, match="no view worth keeping"):
        next(Sampler(renderer, np.random.default_rng(0)).pairs(64, Limits()))


def test_enough_levels_are_held_out_and_no_family_is_torn() -> None:
    splits = read_splits()
    rendered = {
        side: [level for level in levels if level not in splits.skip]
        for side, levels in splits.held.items()
    }
    assert len(rendered["evaluation"]) >= 4 and len(rendered["validation"]) >= 2
    assert splits.side("nexuiz/aggressor") == splits.side("openarena/aggressor")
    offered = [*splits.held["evaluation"], *splits.held["calibration"], "nexuiz/warfare"]
    assert splits.choose(offered, "train") == ["nexuiz/warfare"]


def test_a_family_on_two_sides_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.toml"
    path.write_text(
        'evaluation = ["g/a"]\nvalidation = []\ncalibration = []\n'
        'variants = [["g/a", "g/a2"]]\n[skip]\n',
        encoding="utf-8",
    )
    with pytest.raises(DustError, match=r"variants of one level .*: g/a, g/a2"):
        read_splits(path)
