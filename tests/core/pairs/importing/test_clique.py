"""Workloads: one clique of views of each scene, with each pair of them once."""

import math
import shutil
from itertools import combinations
from pathlib import Path

import adapter_room as room
import many_rooms
import numpy as np
import pytest

from dust_core.cli import main
from dust_core.errors import DustError
from dust_core.pairs.importing.choose import PosedDepth, Selection, covisibility, select
from dust_core.pairs.importing.commands import import_
from dust_core.pairs.shards.manifest import read_manifest
from dust_core.pairs.shards.reader import read_samples


def views(turns: list[float]) -> list[PosedDepth]:
    """Views of a room from its middle, turned to the right by so many radians."""
    result = []
    for turn in turns:
        pose = np.eye(4)
        c, s = math.cos(turn), math.sin(turn)
        pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
        result.append(PosedDepth(room.view(pose)[1], room.K, pose))
    return result


def chosen(frames: list[PosedDepth | None], bounds: Selection) -> list[tuple[int, int]]:
    return [pair.positions for pair in select(len(frames), frames.__getitem__, bounds)]


def test_every_two_views_of_a_clique_overlap_within_the_bounds() -> None:
    frames = views([0.07 * n for n in range(14)])
    bounds = Selection(0.3, 0.92, clique=5)
    pairs = list(select(len(frames), frames.__getitem__, bounds))
    members = sorted({position for pair in pairs for position in pair.positions})
    assert len(members) == 5
    assert [pair.positions for pair in pairs] == list(combinations(members, 2))
    for pair in pairs:
        assert pair.covisibility == covisibility(*pair.views)
        assert 0.3 <= pair.covisibility <= 0.92


def test_a_clique_is_found_where_there_is_just_one() -> None:
    """Three views of one wall among views that are turned away, and one that cannot be read."""
    frames: list[PosedDepth | None] = [*views([0.0, 1.8, 0.1, 3.6, 3.6, 0.2])]
    frames.insert(2, None)
    assert chosen(frames, Selection(0.4, 0.99, clique=3)) == [(0, 3), (0, 6), (3, 6)]
    assert chosen(frames, Selection(0.4, 0.99, clique=4)) == []
    assert chosen(frames, Selection(0.4, 0.99, window=5, clique=3)) == []


def test_neighbours_of_one_view_are_no_clique_unless_they_overlap() -> None:
    frames: list[PosedDepth | None] = [*views([0.0, -0.55, 0.55])]
    assert chosen(frames, Selection(0.25, 0.95, pairs_per_frame=5)) == [(0, 2), (0, 1)]
    assert chosen(frames, Selection(0.25, 0.95, clique=3)) == []


@pytest.mark.parametrize("views", [1, 13, 8])
def test_a_size_that_no_clique_has(views: int) -> None:
    with pytest.raises(DustError, match=f"a clique of {views} views within 7 frames"):
        Selection(window=6, clique=views)


def test_the_command_makes_a_workload(tmp_path: Path) -> None:
    """Two scenes of five views each: twenty pairs, as the frozen workload has."""
    source, into = many_rooms.make(tmp_path), tmp_path / "shards"
    many_rooms.run(source, into, scene=["attic", "yard"], clique=5, split="evaluation")
    manifest = read_manifest(into)
    assert (manifest.pairs, manifest.split) == (20, "evaluation")
    names = [sample.about["images"] for sample in read_samples(into)]
    scenes = [sample.about["scene"] for sample in read_samples(into)]
    assert scenes == ["attic"] * 10 + ["yard"] * 10
    frames = sorted({name for images in names[:10] for name in images})
    assert [tuple(images) for images in names[:10]] == list(combinations(frames, 2))


@pytest.mark.parametrize("jobs", [1, 2])
def test_further_recordings_of_a_scene_give_no_second_clique(jobs: int, tmp_path: Path) -> None:
    source, into = many_rooms.make(tmp_path), tmp_path / "shards"
    (first,) = source.glob("attic/seq-*")
    shutil.copytree(first, first.with_name("seq-99"))
    many_rooms.run(source, into, scene=["attic"], clique=4, jobs=jobs)
    assert read_manifest(into).pairs == 6


def test_processes_make_the_same_workload(tmp_path: Path) -> None:
    source = many_rooms.make(tmp_path)
    for jobs in (1, 2):
        many_rooms.run(source, tmp_path / f"{jobs}", scene=["attic", "yard"], clique=4, jobs=jobs)
    assert many_rooms.content(tmp_path / "1") == many_rooms.content(tmp_path / "2")


def test_no_clique_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = room.manifest_csv(tmp_path / "set")
    with pytest.raises(DustError, match="no 6 of a recording's frames overlap by 25 to 95 %"):
        import_(made.layout, made.source, tmp_path / "shards", side=48, clique=6)
    with pytest.raises(SystemExit) as ended:
        main(["data", "import", "manifest", str(made.source), str(tmp_path), "--clique", "1"])
    assert ended.value.code == 2
    assert "it has 2 to 12 views" in capsys.readouterr().err
