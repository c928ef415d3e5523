"""The DVC remote inside the repository: a clone fetches from it without any network."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@t")


def call(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_a_clone_pulls_from_the_store_that_it_contains(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    dvc = (sys.executable, "-m", "dvc")
    (origin / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / ".dvc" / "config", origin / ".dvc")
    shutil.copy(ROOT / ".dvc" / ".gitignore", origin / ".dvc")
    call(origin, "git", "init", "--quiet")
    (origin / "shard.tar").write_bytes(b"pairs")
    call(origin, *dvc, "add", "shard.tar")
    call(origin, *dvc, "push")
    call(origin, "git", "add", ".")
    call(origin, "git", *IDENTITY, "commit", "--quiet", "-m", "data")

    call(tmp_path, "git", "clone", "--quiet", str(origin), str(clone))
    shutil.rmtree(origin)
    assert not (clone / "shard.tar").exists()
    call(clone, *dvc, "pull")
    assert (clone / "shard.tar").read_bytes() == b"pairs"
