"""What an earlier import left beside its shards may be damaged, and is then no reason to go on."""

import os
from pathlib import Path

import pytest

from dust_core.pairs.importing.source import differing


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "null", "a pipe"])
def test_a_source_that_cannot_be_read_is_another(text: str, tmp_path: Path) -> None:
    path = tmp_path / "source.json"
    os.mkfifo(path) if text == "a pipe" else path.write_text(text)
    assert differing(tmp_path, {"a": "1"}) == ["a"]
