"""Lets the tests of this folder import sample results, and the room of the miniature."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "core" / name) for name in ("pairs", "declared/records")]
