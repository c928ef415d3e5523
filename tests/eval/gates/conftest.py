"""Lets the tests of this folder import the made-up results of the records' tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "declared" / "records"))
