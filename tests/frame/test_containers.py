"""The containers: their pins hold, a broken one is found, and what images hold is listed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

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
    assert "Containerfile.gpu:7: " in done.stdout
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
    everywhere = (ROOT / "containers" / "hashed.lock").read_text().splitlines()
    for_gpu = check(ROOT, "requirements", "gpu").stdout.splitlines()
    left_out = {line.split()[0] for line in set(everywhere) - set(for_gpu)}
    assert "torch==2.13.0" in left_out
    assert any(line.startswith("numpy==2.4.6 --hash=sha256:") for line in for_gpu)
    assert len(everywhere) - len(for_gpu) == len(left_out) < 15


def test_an_image_without_its_own_builds_is_another_image() -> None:
    done = check(ROOT, "provided", "gpu")
    assert done.returncode == 1
    assert "the image of gpu has no module tensorrt: it is another image" in done.stdout
    assert "torch" not in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("numpy==2.4.6 ", "numpy==2.4.5 ", "numpy==2.4.5 is not in both locks: run nox -s lock"),
        ("numpy==2.4.6 --hash=sha256:", "numpy==2.4.6 --hash=md5:", "not a pin with hashes: numpy"),
    ],
)
def test_hashes_of_other_versions_are_found(tree: Path, old: str, new: str, message: str) -> None:
    edit(tree / "containers" / "hashed.lock", old, new)
    done = check(tree)
    assert done.returncode == 1
    assert message in done.stdout


def test_a_package_of_debian_that_is_not_locked_is_found(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    archive = folder / "git_1%3a2.39.5_amd64.deb"
    archive.write_bytes(b"package")
    found = check(tree, "archives", str(folder))
    assert found.returncode == 1
    assert found.stdout.startswith(f"{archive.name} is not in containers/debian.lock: run nox -s")
    with (tree / "containers" / "debian.lock").open("a") as lock:
        lock.write(f"{hashlib.sha256(b'package').hexdigest()}  {archive.name}\n")
    assert check(tree, "archives", str(folder)).returncode == 0


def test_what_an_image_holds_is_a_document_of_cyclonedx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "containers"))
    from sbom import sbom

    contents = {
        "distributions": [["onnx_ir", "1.1.0", "Apache-2.0"], ["numpy", "2.4.6", ""]],
        "debian": [["git", "1:2.39.5-0+deb12u3", "amd64"]],
    }
    text = sbom("dust:cpu", "0" * 64, contents)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = {part["purl"] for part in json.loads(text)["components"]}
    assert listed == {
        "pkg:pypi/onnx-ir@1.1.0",
        "pkg:pypi/numpy@2.4.6",
        "pkg:deb/debian/git@1:2.39.5-0%2Bdeb12u3?arch=amd64",
    }
    assert sbom("dust:cpu", "0" * 64, contents) == text


def test_without_buildah_the_session_ends_with_one_message(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "containers" / "build.py"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: buildah is not installed, and it builds the images\n  fix:"
    )
    assert len(done.stderr.splitlines()) == 2
