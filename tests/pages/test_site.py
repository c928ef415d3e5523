"""The site: what is built from the documents, and that a broken link stops it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from pages.documents import copy_documents
from pages.navigation import navigation
from pages.verbs import command_reference
from pages.verify import faults

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    "README.md": "# Mine\n\n[A guide](docs/guide.md#what), [code](src/a.py), [papers](papers).\n",
    "docs/guide.md": "# Guide\n\n## What\n\n![p](p.png) [back](../README.md), [decided](adr)\n",
    "docs/adr/001-first.md": "# One `way`\n",
    "src/a.py": "print('```')\n",
    "papers/README.md": "# Papers\n\n| a | b |\n|---|---|\n| `x \\| y` | z \\| w |\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of a few documents that link to each other, to code and to folders."""
    root = tmp_path / "repository"
    for name, text in DOCUMENTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(ROOT / "docs" / "images" / "workload.png", root / "docs" / "p.png")
    return root


def build(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pages", "--root", str(root), "--out", str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
    )


def test_links_go_to_pages_of_code_and_of_folders(repository: Path, tmp_path: Path) -> None:
    copy_documents(repository, tmp_path / "pages")
    start = (tmp_path / "pages" / "README.md").read_text()
    assert "(docs/guide.md#what), [code](src/a.py.md), [papers](papers/README.md)" in start
    assert "[decided](adr/index.md)" in (tmp_path / "pages" / "docs" / "guide.md").read_text()
    assert "| `x | y` | z \\| w |" in (tmp_path / "pages" / "papers" / "README.md").read_text()
    assert "[One way](001-first.md)" in (tmp_path / "pages/docs/adr/index.md").read_text()
    code = (tmp_path / "pages" / "src" / "a.py.md").read_text()
    assert code == "# src/a.py\n\n````python\nprint('```')\n````\n"
    assert (tmp_path / "pages" / "docs" / "p.png").is_file()


def test_a_site_is_whole_and_opens_from_files(repository: Path, tmp_path: Path) -> None:
    built = build(repository, tmp_path / "out")
    assert built.returncode == 0, built.stdout + built.stderr
    site = tmp_path / "out" / "site"
    assert "One way" in (site / "docs" / "adr" / "001-first.html").read_text()
    assert not faults(site)
    assert "https://" not in "".join(
        line for line in (site / "index.html").read_text().splitlines() if "src=" in line
    )
    found = json.loads((site / "search.json").read_text())["items"]
    assert any("dust predict" in str(item.get("title")) for item in found)


BROKEN = {
    "[gone](docs/gone.md)": "docs/gone.md",
    "[gone](docs/guide.md#gone)": "docs/guide.md#gone",
    "![gone](docs/gone.png)": "docs/gone.png",
    '<img src="https://elsewhere.example/a.png">': "loads https://elsewhere.example/a.png",
}


def test_broken_links_stop_the_build_and_are_all_named(repository: Path, tmp_path: Path) -> None:
    with (repository / "README.md").open("a") as file:
        file.write("\n" + "\n\n".join(BROKEN) + "\n")
    built = build(repository, tmp_path / "out")
    said = built.stdout + built.stderr
    assert built.returncode == 1
    assert [words for words in BROKEN.values() if words not in said] == [], said
    assert "Traceback" not in said


def test_every_verb_is_in_the_reference() -> None:
    page = command_reference()
    for verb in ("predict", "repro", "validate", "data import", "spec docs", "cards"):
        assert f" dust {verb}\n" in page
    assert "| `-p, --profile <str>` |" in page


def test_a_guide_that_no_table_names_is_in_the_navigation(tmp_path: Path) -> None:
    for name in ("README.md", "docs/new.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# Title of {name}\n")
    documents = [PurePosixPath("README.md"), PurePosixPath("docs/new.md")]
    assert "'Title of docs/new.md': 'docs/new.md'" in str(navigation(tmp_path, documents, []))
