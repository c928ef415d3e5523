"""`dvc pull` is advised where DVC knows the path, and nowhere else."""

import os
from pathlib import Path

import pytest

from dust_core.tracked import remedy


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    for folder in (".dvc", "data", "pipelines/ci", "artifacts/small"):
        (root / folder).mkdir(parents=True)
    (root / "data" / "workload.dvc").write_text("outs:\n- path: workload\n")
    lock = "stages:\n  P0-2:\n    outs:\n    - path: artifacts/{}\n      md5: 00\n"
    (root / "dvc.lock").write_text(lock.format("small/teacher.pth"))
    (root / "pipelines" / "ci" / "dvc.lock").write_text(lock.format("ci/teacher.pth"))
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("data/workload", "data/workload"),
        ("data/workload/manifest.json", "data/workload"),
        ("artifacts/small/teacher.pth", "artifacts/small/teacher.pth"),
        ("artifacts/small/../ci/teacher.pth", "artifacts/ci/teacher.pth"),
    ],
)
def test_what_dvc_tracks_is_pulled(project: Path, path: str, known: str) -> None:
    assert remedy(Path(path)) == f"fetch it: `dvc pull {known}`"
    assert remedy(project / path) == f"fetch it: `dvc pull {known}`"


@pytest.mark.parametrize(
    "path", ["data/mine", "artifacts/small/teachr.pth", "artifacts", "../x.pth", "/", "small"]
)
def test_what_dvc_does_not_track_is_not(project: Path, path: str) -> None:
    assert remedy(Path(path)) == "check the path"
    assert remedy(Path(path), "run P0-2") == "run P0-2"


def test_a_project_without_a_lock_tracks_what_has_a_pointer(project: Path) -> None:
    (project / "dvc.lock").write_bytes(b"\xff\xfe")
    assert remedy(Path("artifacts/small/teacher.pth")) == "check the path"
    assert "dvc pull data/workload" in remedy(Path("data/workload"))


@pytest.mark.parametrize("target", ["a pipe", "/dev/zero"])
def test_a_lock_that_never_ends_is_passed_over(target: str, project: Path) -> None:
    (project / "dvc.lock").unlink()
    if target == "a pipe":
        os.mkfifo(project / "dvc.lock")
    else:
        (project / "dvc.lock").symlink_to(target)
    assert (
        remedy(Path("artifacts/ci/teacher.pth")) == "fetch it: `dvc pull artifacts/ci/teacher.pth`"
    )
    assert remedy(Path("artifacts/small/teacher.pth")) == "check the path"


def test_what_no_remote_has_is_written_again_by_its_task(project: Path) -> None:
    (project / ".dvc" / "config").write_text(
        "[core]\nremote = s\n['remote \"s\"']\nurl = ../store\n"
    )
    (project / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  K-1:\n    cmd: dust run K-1 --profile small\n    deps:\n"
        "    - path: data/workload\n      md5: 0123.dir\n    outs:\n"
        "    - path: artifacts/small/kept.pth\n      hash: md5\n      md5: aa11\n"
        "    - path: artifacts/small/lost.pth\n      hash: md5\n      md5: bb22\n"
    )
    stored = project / "store" / "files" / "md5" / "aa"
    stored.mkdir(parents=True)
    (stored / "11").touch()
    kept, lost = (Path("artifacts/small") / name for name in ("kept.pth", "lost.pth"))
    assert remedy(kept) == f"fetch it: `dvc pull {kept}`"
    again = "`dust run K-1 --profile small` writes it again"
    assert remedy(lost) == f"no remote has it, and {again}"
    cached = project / ".dvc" / "cache" / "files" / "md5" / "bb"
    cached.mkdir(parents=True)
    (cached / "22").touch()
    assert remedy(lost) == f"fetch it: `dvc pull {lost}`"
