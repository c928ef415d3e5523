"""Lets the tests of this folder import their tiny networks, and the room of the miniature."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "core" / "pairs")]
