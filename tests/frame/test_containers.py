"""containers/check.py: the pins of images and versions hold, and a broken one is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of everything that the check reads."""
    shutil.copytree(ROOT / "containers", tmp_path / "containers")
    for path in [ROOT / "requirements.lock", ROOT / "pyproject.toml", *packages()]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def packages() -> list[Path]:
    return sorted(ROOT.glob("packages/*/pyproject.toml"))


def check(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, tree / "containers" / "check.py", *arguments],
        capture_output=True,
        text=True,
    )


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_pins_of_the_repository_agree() -> None:
    done = check(ROOT)
    assert (done.returncode, done.stdout) == (0, "all pins agree\n")


def test_an_image_without_a_digest_is_found(tree: Path) -> None:
    recipe = tree / "containers" / "Containerfile.cpu"
    digest = next(line for line in recipe.read_text().splitlines() if line.startswith("FROM "))
    edit(recipe, digest, digest.partition("@")[0])
    done = check(tree)
    assert done.returncode == 1
    assert "python:3.12.14-slim-bookworm is not pinned as NAME:TAG@sha256:DIGEST" in done.stdout


def test_an_image_that_differs_from_the_lock_is_found(tree: Path) -> None:
    edit(tree / "containers" / "lock.toml", "26.07-py3@sha256:2140", "26.07-py3@sha256:2141")
    done = check(tree)
    assert done.returncode == 1
    assert "Containerfile.gpu:5: " in done.stdout
    assert "is not the image of containers/lock.toml" in done.stdout


@pytest.mark.parametrize("line", ["RUN pip install numpy", "ADD https://host/file /", "RUN <<END"])
def test_a_step_that_varies_is_found(tree: Path, line: str) -> None:
    with (tree / "containers" / "Containerfile.cpu").open("a") as recipe:
        recipe.write(f"{line}\n")
    done = check(tree)
    assert done.returncode == 1
    assert f"does not build the same twice: {line}" in done.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("numpy>=2", "not a pin NAME==VERSION: numpy>=2"),
        ("Torch==2.12.0", "Torch is pinned in line"),
    ],
)
def test_a_loose_or_double_version_is_found(tree: Path, line: str, message: str) -> None:
    with (tree / "requirements.lock").open("a") as lock:
        lock.write(f"{line}\n")
    done = check(tree)
    assert done.returncode == 1
    assert message in done.stdout


def test_a_dependency_outside_the_lock_is_found(tree: Path) -> None:
    project = tree / "packages" / "dust-core" / "pyproject.toml"
    edit(project, '"rich>=13.8"', '"rich>=13.8", "left-pad>=1"')
    done = check(tree)
    assert done.returncode == 1
    assert "left-pad is not in requirements.lock: run nox -s lock" in done.stdout


def test_the_gpu_image_keeps_its_own_torch() -> None:
    everywhere = (ROOT / "requirements.lock").read_text().splitlines()
    for_gpu = check(ROOT, "requirements", "gpu").stdout.splitlines()
    left_out = set(everywhere) - set(for_gpu)
    assert "torch==2.13.0" in left_out
    assert "numpy==2.4.6" in for_gpu
    assert len(everywhere) - len(for_gpu) == len(left_out) < 15
