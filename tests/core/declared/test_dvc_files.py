"""DVC's files after a kill: what was cut off comes back, what somebody meant stays."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from dust_core.declared import dvc_files
from dust_core.declared.dvc_files import clear_rwlock, keep_lock, repair_lock
from dust_core.errors import DustError

STAGE = """\
  {name}:
    cmd: dust run {name} --profile small
    deps:
    - path: data/workload
      md5: 05069fc89b9fb39ddf941cc184c200a4.dir
    outs:
    - path: artifacts/small/{name}_log.json
      md5: cf4df3ced7888bb664ae9cff6a47693c
"""
FIRST = "schema: '2.0'\nstages:\n" + STAGE.format(name="P0-1")
WHOLE = FIRST + STAGE.format(name="P0-2") + STAGE.format(name="P0-3")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.lock").write_text(WHOLE)
    return tmp_path


def commit(project: Path) -> None:
    for words in (
        ("init", "--quiet"),
        ("add", "dvc.lock"),
        ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "lock"),
    ):
        subprocess.run(["git", *words], cwd=project, check=True)


def test_a_lock_that_was_cut_anywhere_comes_back_from_the_copy(project: Path) -> None:
    keep_lock(project, "small")
    boundaries = {WHOLE.index(f"  {name}:") for name in ("P0-2", "P0-3")}
    for length in {*range(0, len(WHOLE), 29), *range(30), len(WHOLE) - 1} - boundaries:
        (project / "dvc.lock").write_text(WHOLE[:length])
        done = repair_lock(project, "small")
        assert done is not None
        assert f"cut off after {length} bytes, and was restored from the copy in .dvc/tmp" in done
        assert (project / "dvc.lock").read_text() == WHOLE


def test_a_cut_lock_whose_stage_ran_anew_comes_back(project: Path) -> None:
    keep_lock(project, "small")
    rerun = WHOLE.replace("cf4df3ced", "000000000")
    for end in ("    deps:\n", "  P0-2:\n", "    cmd: dust run"):
        (project / "dvc.lock").write_text(rerun[: rerun.rindex(end) + len(end)])
        assert repair_lock(project, "small") is not None
        assert (project / "dvc.lock").read_text() == WHOLE


def test_without_a_copy_the_last_commit_has_the_lock(project: Path) -> None:
    commit(project)
    (project / "dvc.lock").write_text("")
    assert "restored from the last commit" in str(repair_lock(project, "small"))
    assert (project / "dvc.lock").read_text() == WHOLE


def test_without_either_the_message_says_what_to_do(project: Path) -> None:
    (project / "dvc.lock").write_text(WHOLE[:-1])
    with pytest.raises(DustError, match=f"cut off after {len(WHOLE) - 1} bytes") as caught:
        repair_lock(project, "small")
    assert "delete it: DVC takes finished stages from its run cache" in caught.value.fix


@pytest.mark.parametrize(
    "meant",
    [
        WHOLE,
        FIRST,
        WHOLE.replace("    outs:", "<<<<<<< HEAD\n    outs:"),
        WHOLE + STAGE.format(name="K-1"),
    ],
)
def test_a_lock_that_somebody_meant_stays(meant: str, project: Path) -> None:
    commit(project)
    keep_lock(project, "small")
    (project / "dvc.lock").write_text(meant)
    assert repair_lock(project, "small") is None
    assert (project / "dvc.lock").read_text() == meant


def test_a_lock_is_not_repaired_while_dvc_writes_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dvc_files, "_SECONDS_FOR_DVC", 0.0)
    keep_lock(project, "small")
    (project / "dvc.lock").write_text("")
    with (project / ".dvc" / "tmp" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DustError, match="DVC is at work"):
            repair_lock(project, "small")
    assert (project / "dvc.lock").read_text() == ""


def rwlock(project: Path, writer: int, reader: int) -> Path:
    path = project / ".dvc" / "tmp" / "rwlock"
    path.parent.mkdir(parents=True)
    entry = {"cmd": "dvc repro"}
    held = {
        "write": {"/a": entry | {"pid": writer}},
        "read": {"/b": [entry | {"pid": reader}]},
    }
    path.write_text(json.dumps(held))
    return path


def test_files_in_use_by_processes_that_are_gone_are_freed(project: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    path = rwlock(project, ended.pid, os.getpid())
    os.utime(path, (1e9, 1e9))  # before the program began that has the second number by now
    assert "processes that are gone" in str(clear_rwlock(project))
    assert json.loads(path.read_text()) == {"write": {}, "read": {}}
    assert clear_rwlock(project) is None


def test_files_that_a_dvc_uses_stay_in_use(project: Path) -> None:
    path = rwlock(project, os.getpid(), os.getpid())
    before = path.read_text()
    assert clear_rwlock(project) is None
    assert path.read_text() == before


@pytest.mark.parametrize("content", ["", '{"write": {"/a": {"pi', "[]", '{"write": {"/a": 1}}'])
def test_a_list_of_files_in_use_that_was_cut_off_is_removed(content: str, project: Path) -> None:
    path = rwlock(project, 1, 1)
    path.write_text(content)
    assert "was cut off, and was removed" in str(clear_rwlock(project))
    assert not path.exists()
