"""Files damaged in any way end in one of our messages, and quickly: never in a traceback."""

import os
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from adapter_room import MINIATURES, Miniature
from data_set_rooms import DATA_SETS

from dust_core.errors import DustError
from dust_core.pairs.importing.choose import Selection
from dust_core.pairs.importing.commands import _given
from dust_core.pairs.importing.importer import Settings, samples
from dust_core.pairs.importing.run import layout_of
from dust_core.pairs.importing.tally import Tally

ROUNDS = int(os.environ.get("DUST_DAMAGED_ROUNDS", "12"))
"""Mutations of each layout; raise it to look for more."""
SETTINGS = Settings(side=16, selection=Selection(0.01, 1.0, 2, 1))
WORDS = (
    b"nan", b"-inf", b"1e400", b"-1", b"0", b"1_0", b"99999999999999999999", b"x" * 300,
    "\N{SUPERSCRIPT TWO}".encode(), b"\xff\xfe", b"\0", b"../" * 9, b"\"", b"[[[[", b"",
)  # fmt: skip
ALL = ("intrinsics", "depth_intrinsics", "colour_from_depth", "depth_step", "recorder")
ALL += ("time_gap", "depths", "metres_per_unit", "foreground", "visits", "device")


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The content with some bytes changed, cut, doubled, or with words in the place of words."""
    kind = random.integers(5)
    if kind == 0 or not content:
        return content[: random.integers(len(content) + 1)]
    if kind == 1:
        changed = bytearray(content)
        for place in random.integers(len(content), size=random.integers(1, 9)):
            changed[place] = random.integers(256)
        return bytes(changed)
    if kind == 2:
        start, end = sorted(random.integers(len(content) + 1, size=2))
        return content[:start] + content[end:]
    if kind == 3:
        head = bytearray(content)
        for place in random.integers(min(len(content), 64), size=4):
            head[place] = random.choice([0, 255, 127, 1])
        return bytes(head)
    words = list(re.finditer(rb"[^\s,;=]+", content[:5000])) or list(re.finditer(b".", content))
    word = words[random.integers(len(words))] if words else re.match(b"", content)
    assert word is not None
    spare = WORDS[random.integers(len(WORDS))]
    return content[: word.start()] + spare + content[word.end() :]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [*MINIATURES, *DATA_SETS], ids=lambda make: make.__name__)
def test_a_damaged_file_is_one_message(make: Callable[[Path], Miniature], tmp_path: Path) -> None:
    made = make(tmp_path / "set")
    given = _given({name: made.options.get(name) for name in ALL})
    layout = layout_of(made.layout, given)
    files = sorted(path for path in (tmp_path / "set").rglob("*") if path.is_file())
    random = np.random.default_rng(zlib.crc32(make.__name__.encode()))
    started = time.process_time()
    assert list(samples(layout, made.source, SETTINGS, Tally()))
    whole = time.process_time() - started
    for turn in range(ROUNDS):
        path = files[random.integers(len(files))]
        kept = path.read_bytes()
        path.write_bytes(mutated(kept, random))
        started, tally = time.process_time(), Tally()
        try:
            for _ in samples(layout, made.source, SETTINGS, tally):
                pass
        except DustError as error:
            assert error.fix, (turn, path, str(error))
        except Exception as error:
            raise AssertionError(f"turn {turn}, {path.name}: {error!r}") from error
        assert time.process_time() - started < 50 * whole, (turn, path)
        assert tally.used + tally.frames_left_out <= tally.found
        path.write_bytes(kept)
