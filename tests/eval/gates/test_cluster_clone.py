"""The clones of a worker: one for each process, and nothing in them of an earlier stage."""

import subprocess
import sys
from pathlib import Path

import pytest

from dust_core.errors import DustError
from dust_eval.cluster.clone import free_clone
from dust_eval.cluster.order import Source


def git(folder: Path, *words: str) -> str:
    person = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *person, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(repository: Path, text: str) -> str:
    (repository / "specs.yaml").write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", text)
    return git(repository, "rev-parse", "HEAD")


def handles() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A repository with a commit, and a folder as DVC's remote."""
    repository = tmp_path / "repository"
    (repository / ".dvc").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (repository / ".dvc" / "config").write_text("")
    (repository / ".dvc" / ".gitignore").write_text("/config.local\n")
    (repository / ".gitignore").write_text("*.pth\n")
    git(repository, "init", "--quiet")
    return Source(
        url=str(repository),
        commit=committed(repository, "first"),
        protected=None,
        subfolder="",
        remote="store",
        remote_url=str(tmp_path / "store"),
    )


def test_what_an_earlier_stage_left_is_gone_but_for_what_git_ignores(
    source: Source, tmp_path: Path
) -> None:
    with free_clone(source, tmp_path / "clones") as (first, _):
        (first / "specs.yaml").write_text("changed")
        (first / "results").mkdir()
        (first / "results" / "left.json").write_text("{}")
        (first / "kept.pth").write_text("weights, which DVC would fetch again")
    with free_clone(source, tmp_path / "clones") as (again, _):
        assert again == first
        assert (again / "specs.yaml").read_text() == "first"
        assert not (again / "results").exists()
        assert (again / "kept.pth").is_file()


def test_a_clone_that_is_held_is_nobody_elses(source: Source, tmp_path: Path) -> None:
    clones = tmp_path / "clones"
    with free_clone(source, clones) as (first, handle):
        with free_clone(source, clones) as (second, _):
            assert second != first
        # A stage that lives on after its worker holds the clone by the handle that it inherited.
        command = [sys.executable, "-c", "input()"]
        stage = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(handle,))
    try:
        with free_clone(source, clones) as (while_it_lives, _):
            assert while_it_lives == second
    finally:
        stage.communicate(b"\n")
    with free_clone(source, clones) as (after_it, _):
        assert after_it == first


def test_a_later_commit_is_fetched_and_the_protected_branch_is_known(
    source: Source, tmp_path: Path
) -> None:
    with free_clone(source, tmp_path / "clones"):
        pass
    repository = Path(source.url)
    git(repository, "switch", "--quiet", "-c", "proposal")
    later = committed(repository, "second")
    wanted = Source(
        url=source.url, commit=later, protected=source.commit, subfolder="", remote="store",
        remote_url=source.remote_url,
    )  # fmt: skip
    with free_clone(wanted, tmp_path / "clones") as (clone, _):
        assert (clone / "specs.yaml").read_text() == "second"
        assert git(clone, "rev-parse", "HEAD") == later
        assert git(clone, "rev-parse", "refs/remotes/origin/HEAD") == source.commit


def test_a_clone_that_was_cut_short_is_made_anew(source: Source, tmp_path: Path) -> None:
    with free_clone(source, tmp_path / "clones") as (clone, _):
        pass
    (clone / ".git").rename(clone.with_suffix(".part"))
    with free_clone(source, tmp_path / "clones") as (again, _):
        assert git(again, "rev-parse", "HEAD") == source.commit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"commit": "0" * 40}, "cannot get commit 0000000000"),
        ({"url": "/nowhere"}, "cannot get commit"),
        ({"remote_url": "/nowhere"}, "remote store is a folder, and it is not here"),
    ],
    ids=["commit", "repository", "store"],
)
def test_what_a_worker_cannot_reach_is_one_message_and_frees_the_clone(
    source: Source, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    fields = {name: getattr(source, name) for name in Source.__slots__}
    wanted = Source(**(fields | change))
    before = handles()
    with pytest.raises(DustError, match=message), free_clone(wanted, tmp_path / "clones"):
        pass
    assert handles() == before
