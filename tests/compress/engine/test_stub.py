import ctypes
import sys
from pathlib import Path

import pytest

from dust_compress.engine.stub import stub_library

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the library is for Linux"
)


def test_the_loader_finds_the_function_and_it_returns_true(tmp_path: Path) -> None:
    path = tmp_path / "libstub.so"
    path.write_bytes(stub_library("libstub.so.1", "doNothing"))
    assert ctypes.CDLL(str(path)).doNothing() == 1


def test_no_other_function_is_there(tmp_path: Path) -> None:
    path = tmp_path / "libempty.so"
    path.write_bytes(stub_library("libempty.so.1", "doNothing"))
    with pytest.raises(AttributeError, match="doSomething"):
        _ = ctypes.CDLL(str(path)).doSomething
