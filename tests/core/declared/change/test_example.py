"""The example of docs/review.md is what `dust diff` says today."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_example_is_fresh():
    command = [sys.executable, ROOT / "docs" / "review_example.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
