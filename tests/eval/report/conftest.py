"""Lets the tests of this folder import their samples and the driver of Chromium."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "scene")]
