"""The digests of the sources that measure and train."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from dust_core.declared.records.sources import (
    MEASURING,
    TRAINING,
    measuring_code,
    sources_digest,
    sources_in,
    training_code,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A package with a module, a folder of modules, and files that are no sources."""
    (tmp_path / "tiny" / "parts").mkdir(parents=True)
    (tmp_path / "tiny" / "__init__.py").write_text("")
    (tmp_path / "tiny" / "time.py").write_text("TURNS = 50\n")
    (tmp_path / "tiny" / "parts" / "score.py").write_text("def score():\n    return 1\n")
    (tmp_path / "tiny" / "parts" / "notes.md").write_text("notes\n")
    return tmp_path


def digest(root: Path) -> str:
    return sources_digest(sources_in(root, "tiny/time.py") | sources_in(root, "tiny/parts"))


def test_a_changed_added_or_renamed_source_changes_the_digest(root: Path) -> None:
    seen = {digest(root)}
    (root / "tiny" / "parts" / "score.py").write_text("def score():\n    return 2\n")
    seen.add(digest(root))
    (root / "tiny" / "parts" / "more.py").write_text("")
    seen.add(digest(root))
    (root / "tiny" / "parts" / "more.py").rename(root / "tiny" / "parts" / "most.py")
    seen.add(digest(root))
    (root / "tiny" / "time.py").write_text("TURNS = 5\n")
    seen.add(digest(root))
    assert len(seen) == 5


def test_place_newlines_and_other_files_do_not_change_it(root: Path) -> None:
    before = digest(root)
    (root / "tiny" / "time.py").write_bytes(b"TURNS = 50\r\n")
    (root / "tiny" / "parts" / "notes.md").write_text("others\n")
    (root / "tiny" / "parts" / "score.pyc").write_bytes(b"\0")
    (root / "tiny" / "other.py").write_text("")
    moved = root.rename(root.with_name("moved"))
    assert digest(moved) == before


def test_a_line_moved_to_another_file_changes_it(root: Path) -> None:
    (root / "tiny" / "time.py").write_text("A\n")
    (root / "tiny" / "parts" / "score.py").write_text("B\n")
    before = digest(root)
    (root / "tiny" / "time.py").write_text("A\nB\n")
    (root / "tiny" / "parts" / "score.py").write_text("")
    assert digest(root) != before


@pytest.mark.parametrize("place", sorted({*MEASURING, *TRAINING}))
def test_every_place_has_sources(place: str) -> None:
    spec = importlib.util.find_spec(place.partition("/")[0])
    assert spec is not None and spec.submodule_search_locations
    assert sources_in(Path(spec.submodule_search_locations[0]).parent, place)


def test_the_installed_sources_are_found_without_importing_them() -> None:
    code = (
        "import sys\n"
        "from dust_core.declared.records.sources import measuring_code, training_code\n"
        "print(measuring_code(), training_code())\n"
        "print([name for name in sys.modules if name.startswith(('dust_eval', 'dust_compress'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{measuring_code()} {training_code()}\n[]\n"
    assert measuring_code() != training_code()
