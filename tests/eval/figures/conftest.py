"""Lets the tests of this folder import the results that tests make up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "declared" / "records"))
