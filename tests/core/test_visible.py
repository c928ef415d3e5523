"""Text that steers a terminal, or is not seen, is visible."""

import io
from pathlib import Path

import pytest
from rich.progress import Progress, track
from rich.table import Table
from rich.text import Text

from dust_core.console import Terminal
from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_core.visible import in_one_line, plain_stem, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("over\rwritten\x08", r"over\x0dwritten\x08"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("ze\u200bro\ufeff", r"ze\u200bro\ufeff"),
        ("soft\xadhyphen", r"soft\xadhyphen"),
        ("\u3164\u115f", r"\u3164\u115f"),
        ("tag\U000e0041", r"tag\U000e0041"),
        (b"b\xe9.png".decode(errors="surrogateescape"), r"b\xe9.png"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_steers_or_hides_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize("text", ["two\nlines\tand a tab", "Größe 5 µm ± 1 …", "写真 📷"])
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text) == text


def test_a_name_stays_in_its_line() -> None:
    assert in_one_line("a\nb\tc") == r"a\nb\tc"
    assert str(DustError("no such file", where="a\nerror: b")) == r"a\nerror: b: no such file"


def test_a_name_for_a_file_has_nothing_special() -> None:
    assert plain_stem(b"a b\xff\n{x}.png".decode(errors="surrogateescape")) == "a-b-x-"
    assert plain_stem("é" * 300 + ".png") == "é" * 40


def test_a_file_takes_any_name(tmp_path: Path) -> None:
    atomic_write_text(tmp_path / "a.json", '"' + b"\xff".decode(errors="surrogateescape") + '"')
    assert (tmp_path / "a.json").read_text() == r'"\udcff"'


def test_a_console_styles_its_own_text_alone() -> None:
    stream = io.StringIO()
    terminal = Terminal(file=stream, width=40)
    terminal._color_system = None  # the style is what is written below
    terminal.print(
        Text.assemble(("error: ", "bold red"), "\x1b[2J\u202e"), "[bold]{x}[/nothing] :x:"
    )
    assert stream.getvalue() == "error: \\x1b[2J\\u202e [bold]{x}[/nothing]\n:x:\n"


def test_a_table_has_room_for_what_is_visible() -> None:
    stream, table = io.StringIO(), Table("name", "value")
    table.add_row("\x1b[31m[red]", "1")
    Terminal(file=stream, width=60).print(table)
    lines = stream.getvalue().splitlines()
    assert r"\x1b[31m[red]" in stream.getvalue()
    assert len({len(line) for line in lines}) == 1


def test_bars_show_a_task_s_name_as_it_is() -> None:
    stream = io.StringIO()
    with Progress(console=Terminal(file=stream, width=80)) as progress:
        progress.console.print("[/x]\x1b[2J")
    assert list(track([1], "\x1b[2J", console=Terminal(file=stream))) == [1]
    assert "[/x]\\x1b[2J" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
