"""What documents show is what `dust` says today, and what the locked results hold."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("script", ["review_example.py", "review_cases.py", "tables.py"])
def test_the_document_is_fresh(script):
    command = [sys.executable, ROOT / "docs" / script, "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
