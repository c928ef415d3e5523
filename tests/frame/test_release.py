"""What a release says of itself: one version everywhere, and a citation that tools can read."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import dust_compress
import dust_core
import dust_eval
from dust_core.declared.specs import load_yaml

ROOT = Path(__file__).parents[2]
CITATION = ROOT / "CITATION.cff"
NEWEST = re.compile(r"^## (\S+), (unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)


def newest() -> tuple[str, str]:
    """Version and date of the newest section of the changelog; the date may be `unreleased`."""
    found = NEWEST.search((ROOT / "CHANGELOG.md").read_text())
    assert found, (
        "the changelog begins with a section `## VERSION, DATE` or `## VERSION, unreleased`"
    )
    return found[1], found[2]


def test_one_version_is_everywhere() -> None:
    projects = [tomllib.loads(p.read_text()) for p in ROOT.glob("packages/*/pyproject.toml")]
    assert len(projects) == 3
    versions = {
        *(project["project"]["version"] for project in projects),
        *(module.__version__ for module in (dust_core, dust_eval, dust_compress)),
        str(load_yaml(CITATION).data["version"]),
        newest()[0],
    }
    assert versions == {dust_core.__version__}


def test_the_citation_has_the_date_of_the_release() -> None:
    date = load_yaml(CITATION).data.get("date-released")
    assert (str(date) if date else "unreleased") == newest()[1]


def test_the_citation_follows_its_schema() -> None:
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.citation-file-format", str(CITATION)),
        ],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_licences_agree() -> None:
    assert load_yaml(CITATION).data["license"] == "Apache-2.0"
    for path in ROOT.glob("packages/*/pyproject.toml"):
        assert tomllib.loads(path.read_text())["project"]["license"] == "Apache-2.0"
