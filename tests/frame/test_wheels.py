"""The three packages as they are published: archives of the sources, and the wheels from them.

`nox -s wheels` tries all three wheels, each in an environment of its own with all that it requires.
"""

import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import dust_core

ROOT = Path(__file__).parents[2]
PACKAGES = ("dust-core", "dust-eval", "dust-compress")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archives of the sources, and with the wheels that were built from them."""
    folder = tmp_path_factory.mktemp("built")
    for name in PACKAGES:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
        subprocess.run([*command, ROOT / "packages" / name], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheels(built: Path) -> dict[str, Path]:
    """The wheels by package."""
    return {
        name: next(built.glob(f"{name.replace('-', '_')}-*-py3-none-any.whl")) for name in PACKAGES
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_an_archive_of_the_sources_holds_them_and_no_links(built: Path, package: str) -> None:
    module = package.replace("-", "_")
    top = f"{module}-{dust_core.__version__}"
    with tarfile.open(built / f"{top}.tar.gz") as archive:
        members = archive.getmembers()
        assert all(member.isfile() for member in members)
        names = {member.name for member in members}
        licence = archive.extractfile(f"{top}/LICENSE")
        assert licence is not None and licence.read() == (ROOT / "LICENSE").read_bytes()
    assert {f"{top}/{name}" for name in ("NOTICE", "README.md", "pyproject.toml")} <= names
    sources = package_sources(package)
    assert {f"{top}/{name}" for name in sources} <= names
    others = {name for name in names if "/src/" in name} - {f"{top}/{name}" for name in sources}
    assert not others


def test_the_index_would_take_what_is_built(built: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *sorted(built.iterdir())],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("PASSED") == 2 * len(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_the_licence_of_the_repository(package: str) -> None:
    for name in ("LICENSE", "NOTICE"):
        ours = ROOT / "packages" / package / name
        assert not ours.is_symlink(), f"a link leads out of the archive of the sources: {ours}"
        assert ours.read_bytes() == (ROOT / name).read_bytes(), f"copy {name} to {ours.parent}"


def package_sources(package: str) -> set[str]:
    """The files below a package's src that git knows, relative to the package."""
    folder = ROOT / "packages" / package
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src"]
    listed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return {name for name in listed.stdout.splitlines() if (folder / name).is_file()}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_says_what_it_is(wheels: dict[str, Path], package: str) -> None:
    module = package.replace("-", "_")
    with zipfile.ZipFile(wheels[package]) as wheel:
        names = wheel.namelist()
        info = f"{module}-{dust_core.__version__}.dist-info"
        metadata = message_from_bytes(wheel.read(f"{info}/METADATA"))
        assert metadata["Version"] == dust_core.__version__
        assert metadata["License-Expression"] == "Apache-2.0"
        assert f"{module}/py.typed" in names
        assert b"Apache License" in wheel.read(f"{info}/licenses/LICENSE")
        assert b"CC BY-NC-SA 4.0" in wheel.read(f"{info}/licenses/NOTICE")
        assert {name.split("/")[0] for name in names} == {module, info}


def test_the_packages_ask_for_each_other_in_one_version() -> None:
    for package in PACKAGES:
        path = ROOT / "packages" / package / "pyproject.toml"
        project = tomllib.loads(path.read_text())["project"]
        assert project["version"] == dust_core.__version__
        groups = [project["dependencies"], *project["optional-dependencies"].values()]
        ours = [asked for group in groups for asked in group if asked.startswith("dust-")]
        assert all(asked.endswith(f"=={dust_core.__version__}") for asked in ours), ours


@pytest.mark.slow
def test_dust_core_works_in_a_bare_environment(wheels: dict[str, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "requirements.lock"]
    subprocess.run([*pip, wheels["dust-core"]], check=True, capture_output=True)
    script = ROOT / "tests" / "frame" / "bare_environment.py"
    tried = subprocess.run([python, script, "dust-core"], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    assert "works in a bare environment" in tried.stdout
    checked = subprocess.run(
        [tmp_path / "bare" / "bin" / "dust", "validate", "specs", "--ignore", "DATA002"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
