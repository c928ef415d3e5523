"""Lets the tests of this folder import their lines and the results that tests make up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "declared" / "records"))
sys.path.insert(0, str(Path(__file__).parent))
