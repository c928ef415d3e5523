"""A manifest of an engine is read within bounds, by who runs the engine and by who asks of it."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dust_core.errors import DustError
from dust_core.network.inspect import engine_facts
from dust_eval.runtimes.engine_manifest import manifest_path, read_engine

STATED = {
    "engine": "a.trt",
    "onnx_sha256": "a" * 64,
    "compiler": "tensorrt",
    "versions": {"tensorrt": "10"},
    "compute_capabilities": ["9.0"],
    "inputs": {"image1": [1, 3, 32, 32]},
    "floats": "fp32",
    "tf32": False,
    "products": {"int8": 1},
}


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "a.trt"
    path.write_bytes(b"ftrt" + bytes(100))
    stated = STATED | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    manifest_path(path).write_text(json.dumps(stated))
    return path


def as_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def with_more(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(f"{path.read_text()[:-1]}, {text}}}")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "brackets": (with_more(f'"x": {"[" * 40_000}{"]" * 40_000}'), "it nests too deep"),
    "200,000 brackets": (lambda path: path.write_text("[" * 200_000), "more than 100,000 bytes"),
    "a key twice": (with_more('"sha256": "b"'), "'sha256' twice"),
    "half a character": (with_more('"x": "\\ud800"'), "surrogates"),
    "a number of 10,000 digits": (with_more(f'"x": {"9" * 10_000}'), "digits"),
    "a list": (lambda path: path.write_text("[]"), "not an engine manifest"),
    "nothing": (lambda path: path.write_text("null"), "SHA-256|a valid dictionary"),
    "a pipe": (as_a_pipe, "no regular file"),
    "a folder": (as_a_folder, "no regular file"),
}


@pytest.mark.parametrize("read", [read_engine, engine_facts])
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_in_one_short_message(
    name: str, read: Callable[[Path], object], engine: Path
) -> None:
    read(engine)
    spoil, message = HOSTILE[name]
    spoil(manifest_path(engine))
    with pytest.raises(DustError, match=message) as caught:
        read(engine)
    assert caught.value.where == str(manifest_path(engine))
    assert len(caught.value.what) < 500


def test_it_names_the_field_that_is_wrong(engine: Path) -> None:
    stated = json.loads(manifest_path(engine).read_text())
    manifest_path(engine).write_text(json.dumps(stated | {"floats": "fp8"}))
    with pytest.raises(DustError, match="not an engine manifest: floats: Input should be"):
        read_engine(engine)


def test_an_engine_is_a_regular_file(engine: Path) -> None:
    as_a_pipe(engine)
    with pytest.raises(DustError, match="cannot read the engine: it is no regular file"):
        read_engine(engine)
