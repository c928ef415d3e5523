"""The three wheels: what is in them, and dust-core's in a bare environment of its own.

`nox -s wheels` tries all three, each in an environment of its own with all that it requires.
"""

import subprocess
import sys
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
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels by package, built by pip from the sources of the repository."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [ROOT / "packages" / name for name in PACKAGES]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", folder, *sources),
        ],
        check=True,
    )
    return {
        name: next(folder.glob(f"{name.replace('-', '_')}-*-py3-none-any.whl")) for name in PACKAGES
    }


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
