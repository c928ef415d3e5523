import os
import time
from pathlib import Path

import pytest

from dust_core.declared.reading.yaml_text import (
    MAX_BYTES,
    MAX_LINE,
    Document,
    Position,
    SpecSyntaxError,
    load_yaml,
    parse_yaml,
)

TEXT = """\
# a comment
spec:
  tasks:
    K-1: {T: 3, needs: [P0-1, "P0-2"]}
    K-2:
      # hotter
      T: 5
      title: >-
        two
        lines
"""


def read(text: str) -> Document:
    return parse_yaml(text.encode(), "a.yaml")


@pytest.mark.parametrize(
    ("loc", "value", "key"),
    [
        ((), Position(2, 1), Position(2, 1)),
        (("spec", "tasks", "K-1"), Position(4, 10), Position(4, 5)),
        (("spec", "tasks", "K-1", "T"), Position(4, 14), Position(4, 11)),
        (("spec", "tasks", "K-1", "needs", 1), Position(4, 31), Position(4, 31)),
        (("spec", "tasks", "K-2", "T"), Position(7, 10), Position(7, 7)),
        (("spec", "tasks", "K-2", "title"), Position(8, 14), Position(8, 7)),
        (("spec", "tasks", "K-2", "absent"), Position(5, 5), Position(5, 5)),
        (("spec", "absent", "K-2", "T"), Position(2, 1), Position(2, 1)),
    ],
)
def test_values_and_keys_are_where_an_editor_shows_them(
    loc: tuple[str | int, ...], value: Position, key: Position
) -> None:
    document = read(TEXT)
    assert (document.position(loc), document.position(loc, of_key=True)) == (value, key)


def test_a_line_is_quoted_as_written() -> None:
    document = read(TEXT)
    assert document.line(7) == "      T: 5"
    assert document.line(0) == document.line(99) == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0", 0),
        (".5", 0.5),
        ("1.", 1.0),
        ("2e-4", 0.0002),
        ("true", True),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ("yes", "yes"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2027-01-31", "2027-01-31"),
        ("<=", "<="),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_a_value_means_one_thing(text: str, value: object) -> None:
    scalar = read(f"a: {text}\n").data["a"]
    assert scalar == value and type(scalar) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: &x 1\n", "1:4", "specs do not use an anchor (&x)"),
        ("a: 1\nb: *a\n", "2:4", "specs do not use an alias (*a)"),
        ("a: !!python/name:os.system 1\n", "1:4", "specs do not use a tag"),
        ("%YAML 1.1\n---\na: 1\n", "1:1", "specs do not use a directive"),
        ("a: 1\n---\nb: 2\n", "2:1", "specs do not use a second document"),
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "4:3", "duplicate key 'c', first at 3:3"),
        ("a:\n  <<: {b: 1}\n", "2:3", "a merge key (<<)"),
        ("[a]: 1\n", "1:1", "a key must be text"),
        ("a: .nan\n", "1:4", ".nan is not a value that a spec can hold"),
        ("a: -.inf\n", "1:4", "-.inf is not a value that a spec can hold"),
        ("a: 1e999\n", "1:4", "the number 1e999 is out of range"),
        (f"a: {'9' * 3000}\n", "1:4", "a number of 3,000 digits"),
        ("a: b: c\n", "1:5", "not YAML: mapping values are not allowed in this context"),
        ("a:\n\tb: 1\n", "2:1", "not YAML"),
        ('a: "b\n', "2:1", "not YAML"),
        ("", "1:1", "the file is empty"),
        ("# only a comment\n", "1:1", "the file is empty"),
        (f"a: 1\nb: {'x' * MAX_LINE}\n", f"2:{MAX_LINE + 1}", "a line of 4,003 characters"),
    ],
)
def test_what_specs_do_not_use_is_refused_where_it_stands(
    text: str, place: str, message: str
) -> None:
    with pytest.raises(SpecSyntaxError) as caught:
        read(text)
    assert caught.value.where == f"a.yaml:{place}"
    assert message in caught.value.what and caught.value.fix


def test_bytes_that_are_not_utf8_are_placed() -> None:
    with pytest.raises(SpecSyntaxError, match=r"a\.yaml:2:5: byte 0xff is not UTF-8"):
        parse_yaml("é: 1\nbé: ".encode() + b"\xff\n", "a.yaml")


def test_a_byte_order_mark_is_no_content() -> None:
    assert parse_yaml("\ufeffa: 1\n".encode(), "a.yaml").data == {"a": 1}


TAG = b"!" * MAX_LINE
HOSTILE = {
    "too large": b"a" * (MAX_BYTES + 1),
    "deep": b"[" * MAX_LINE,
    "deep in blocks": b"".join(b" " * depth + b"a:\n" for depth in range(1000)),
    "many": b"- a\n" * (MAX_BYTES // 4),
    "long tag": TAG,
    "long tags": b"a: " + TAG[:3000] + b"\n" * 900_000,
    "long key twice": b"? " + b"k" * 3000 + b"\n: 1\n? " + b"k" * 3000 + b"\n: 1\n",
    "endless text": b'a: "' + b"x\n " * 300_000,
}


@pytest.fixture(scope="module")
def longest() -> float:
    """The processor seconds of the longest list that a spec may hold."""
    started = time.process_time()
    parse_yaml(b"- a\n" * 99_000, "a.yaml")
    return time.process_time() - started


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_end_soon_in_a_short_message(name: str, longest: float) -> None:
    started = time.process_time()
    with pytest.raises(SpecSyntaxError) as caught:
        parse_yaml(HOSTILE[name], "a.yaml")
    assert time.process_time() - started < 3 * longest
    assert len(str(caught.value)) < 300


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    for name in ("pipe.yaml", "loop.yaml", "absent.yaml", "."):
        with pytest.raises(SpecSyntaxError, match=r"no such file|cannot read"):
            load_yaml(tmp_path / name)
