"""Importing many scenes: going on after an interruption, and several processes."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import adapter_room as room
import pytest
from many_rooms import content, make, run

from dust_core.errors import DustError
from dust_core.pairs.importing.adapters.seven_scenes import SevenScenes
from dust_core.pairs.importing.importer import Settings, Step, samples
from dust_core.pairs.importing.tally import Tally


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("set"))


def test_shards_do_not_depend_on_the_number_of_processes(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(source, tmp_path / "alone")
    alone = capsys.readouterr().err
    run(source, tmp_path / "together", jobs=2)
    assert content(tmp_path / "together") == content(tmp_path / "alone")
    assert capsys.readouterr().err == alone
    assert "no pair within the bounds in 1 scenes: lost" in alone
    with pytest.raises(DustError, match="the depth is missing") as caught:
        run(source, tmp_path / "strict", jobs=2, strict=True)
    assert caught.value.where.endswith("frame-000001.depth.png")
    assert not list(tmp_path.rglob(".unfinished/scenes"))


def interrupted(source: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that is interrupted once two scenes are done."""

    def halt(step: Step) -> None:
        if step.scenes == 2:
            raise KeyboardInterrupt

    def stopping(*arguments: Any, on_step: Any, **named: Any) -> Iterator[Any]:
        return samples(*arguments, on_step=halt, **named)

    with monkeypatch.context() as patch:
        patch.setattr("dust_core.pairs.importing.run.samples", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(source, into)


def test_going_on_reads_no_finished_scene_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, into = tmp_path / source.name, tmp_path / "halted"
    shutil.copytree(source, copied)
    run(copied, tmp_path / "whole")
    interrupted(copied, into, monkeypatch)
    finished = sorted(into.glob(".unfinished/pairs-*.tar"))
    assert len(finished) >= 3
    for path in copied.glob("attic/*/*.color.png"):
        facts = path.stat()
        path.write_bytes(bytes(facts.st_size))  # whoever reads it again leaves it out
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    run(copied, into)
    assert content(into) == content(tmp_path / "whole")


def elsewhere(source: Path) -> Path:
    """The same files in another folder of the same name."""
    (source.parent / "second").mkdir()
    return source.rename(source.parent / "second" / source.name)


def with_a_scene_before(source: Path) -> Path:
    shutil.copytree(source / "yard", source / "aaa")
    return source


def with_a_scene_behind(source: Path) -> Path:
    shutil.copytree(source / "yard", source / "zoo")
    return source


def renamed(source: Path) -> Path:
    (source / "attic").rename(source / "zoo")
    return source


def with_a_frame_less(source: Path) -> Path:
    for path in source.glob("attic/*/frame-000001.*"):
        path.unlink()
    return source


def with_a_pose_changed(source: Path) -> Path:
    path = next(source.glob("attic/*/frame-000001.pose.txt"))
    path.write_text(room.numbers(room.camera(1.01)))
    return source


@pytest.mark.parametrize(
    ("change", "same_start"),
    [
        (elsewhere, True),
        (with_a_scene_behind, True),
        (with_a_scene_before, False),
        (renamed, False),
        (with_a_frame_less, False),
        (with_a_pose_changed, False),
    ],
)
def test_shards_of_two_sources_are_not_mixed(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], Path],
    same_start: bool,
) -> None:
    copied, into = tmp_path / source.name, tmp_path / "halted"
    shutil.copytree(source, copied)
    interrupted(copied, into, monkeypatch)
    now = change(copied)
    if not same_start:
        for _ in range(2):  # a call that is refused does not make the next one trust the shards
            with pytest.raises(DustError, match="an interrupted call wrote other samples"):
                run(now, into)
        shutil.rmtree(into / ".unfinished")  # as the message says
    run(now, into)
    said = capsys.readouterr().err
    assert f"is read again and compared with the finished shards (differing: {now}" in said
    run(now, tmp_path / "fresh")
    assert content(into) == content(tmp_path / "fresh")


def test_shards_inside_the_source_can_be_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / source.name
    shutil.copytree(source, copied)
    interrupted(copied, copied / "shards", monkeypatch)
    (copied / ".DS_Store").touch()
    run(copied, copied / "shards")
    assert (copied / "shards" / "manifest.json").is_file()


def test_a_finished_tar_that_was_damaged_is_written_anew(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, tmp_path / "whole")
    into = tmp_path / "halted"
    interrupted(source, into, monkeypatch)
    path = sorted(into.glob(".unfinished/pairs-*.tar"))[1]
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 255
    path.write_bytes(changed)
    run(source, into)
    assert content(into) == content(tmp_path / "whole")


def test_a_call_that_wrote_nothing_is_not_gone_on_with(source: Path, tmp_path: Path) -> None:
    """Its scenes had no pair for a reason that may be mended by now."""
    copied = tmp_path / source.name
    shutil.copytree(source, copied)
    poses = sorted(copied.glob("lost/*/*.pose.txt"))
    with pytest.raises(DustError, match="no two frames can be compared"):
        run(copied, tmp_path / "shards", scene=["lost"])
    for number, path in enumerate(poses):
        path.write_text(room.numbers(room.camera(number)))
    run(copied, tmp_path / "shards", scene=["lost"])


def test_a_tally_is_the_same_after_it_was_written(source: Path) -> None:
    tally = Tally()
    for _ in samples(SevenScenes(room.K), source, Settings(side=32), tally):
        pass
    assert tally.frames_left_out == room.COUNT + 2
    again = Tally.of_data(tally.as_data())
    assert again.as_json() == tally.as_json()
    assert again.lines() == tally.lines()


def test_what_is_left_out_holds_no_pictures(source: Path) -> None:
    """An error that is kept to the end would hold what it was raised beside."""
    tally = Tally()
    for _ in samples(SevenScenes(room.K), source, Settings(side=32), tally):
        pass
    errors = [without.why for _, without in tally.left_out]
    assert errors
    assert not any((e.__traceback__, e.__cause__, e.__context__) != (None,) * 3 for e in errors)
