"""The DVC remote inside the repository: a clone fetches from it without any network."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
TRACKED = sorted(ROOT.glob("data/**/*.dvc"))
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


def stored(digest: str) -> bytes:
    """The store's bytes for `digest`; fails where they are missing or others."""
    file = ROOT / "store" / "files" / "md5" / digest[:2] / digest[2:]
    assert file.exists(), f"{file.relative_to(ROOT)} is not in the store: dvc push"
    content = file.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert found == digest.removesuffix(".dir"), file
    return content


@pytest.mark.parametrize("pointer", TRACKED, ids=lambda file: file.name)
def test_the_store_holds_every_file_of_the_data_that_is_tracked(pointer: Path) -> None:
    for out in YAML(typ="safe").load(pointer)["outs"]:
        content = stored(out["md5"])
        if out["md5"].endswith(".dir"):
            for entry in json.loads(content):
                stored(entry["md5"])
