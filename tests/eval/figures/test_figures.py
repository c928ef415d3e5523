"""Figures are found in prose, rounded as a person rounds, and traced to what holds them."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sample_results as sample
from hypothesis import given
from hypothesis import strategies as st

from dust_core.cli import main
from dust_core.declared.records import write_result_file
from dust_core.errors import DustError
from dust_eval.figures.commands import held_by
from dust_eval.figures.figure import OUTPUTS, UNITS, figures_in, parse_figure
from dust_eval.figures.known import Known, of_output

ROOT = Path(__file__).parents[3]
Explain = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explain:
    """Runs `dust explain` in a project with one result, and gives its code, output and errors."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    result = sample.result(figures={"size_MB": 7.777379})
    write_result_file(Path("artifacts/small/a_log.json"), sample.result_file(result))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(["explain", *arguments])
        except SystemExit as ending:
            code = int(ending.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("text", "value", "unit", "held"),
    [
        ("16.4 ms", 16.4266, "ms", True),
        ("16.5 ms", 16.4266, "ms", False),
        ("0.016 s", 16.4266, "ms", True),
        ("16 s", 16.4266, "ms", False),
        ("2 min", 118.0, "s", True),
        ("3.6 %", -3.596, "%", True),  # "3.6 % above" of a drop
        ("65 %", 0.648, "fraction", True),
        ("0.648", 0.6482875, "fraction", True),
        ("65 %", 65.0, "", False),
        ("48.0 MB", 47.97347, "MB", True),
        ("29,000 pairs", 29000.0, "pairs", True),
        ("29,000 pairs", 29000.0, "", False),
        ("571M", 571.17, "M", True),
    ],
)
def test_a_value_is_a_figure_if_it_rounds_to_it(
    text: str, value: float, unit: str, held: bool
) -> None:
    assert parse_figure(text).is_rounded(value, unit) is held


@given(
    st.floats(0.001, 99_999, allow_nan=False),
    st.integers(0, 4),
    st.sampled_from(sorted(UNITS)),
)
def test_every_rounding_is_read_back(value: float, digits: int, unit: str) -> None:
    written = f"{value:,.{digits}f} {unit}"
    assert parse_figure(written).is_rounded(value, unit)
    (found,) = figures_in(f"It is {written}, as measured.\n")
    assert (found.text, found.is_rounded(value, unit)) == (written, True)


def test_code_and_links_have_no_figures() -> None:
    text = "| 5 ms |\n```\n7 ms\n```\n[a](b-8 ms.md) and v1.2 m, 3/4 s, x9 MB, 2 sheep, **6 s**\n"
    assert [(figure.text, figure.line) for figure in figures_in(text)] == [("5 ms", 1), ("6 s", 5)]
    text = (
        "As\n\n    --size 8 MB\n\n    7 MB\n\nit says `5 pairs`, or\n    4 pairs of `x`.\n\n    3 s"
    )
    assert [(figure.text, figure.line) for figure in figures_in(text)] == [("4 pairs", 8)]


def test_stored_outputs_hold_what_they_print() -> None:
    text = "$ python benchmarks/engine.py\n     INT8  18.1 ms\nFP32  37 ms\n"
    values = [(value.value, value.unit, value.what) for value in of_output(text, "engine.txt")]
    assert values == [(18.1, "ms", "line 2"), (37.0, "ms", "line 3")]


def test_a_figure_is_traced_to_its_record(explain: Explain) -> None:
    code, output, _ = explain("7.8 MB")
    assert code == 0
    first = output.splitlines()[0]
    assert first.startswith("size_MB of ") and "= 7.77738 MB in artifacts/small/a_log.json" in first
    assert "again: dust run K-1 --profile small" in first


def test_what_was_judged_comes_first_then_what_was_measured_last() -> None:
    values = [
        Known(1.0, "%", "spec.gates.a_line.value", "gates.yaml"),
        Known(1.0, "%", "an equal record", "", "again"),
        Known(1.2, "%", "judged", "", "again", rank=0, finished=1),
        Known(1.3, "%", "measured last", "", "again", finished=3),
        Known(1.1, "%", "nearer and older", "", "again", finished=2),
        Known(1.1, "%", "computed from two", "", "again", rank=2, finished=9),
    ]
    found = held_by(parse_figure("1 %"), random.Random(0).sample(values, len(values)))
    assert found == values


def test_a_figure_of_two_words_needs_no_quotes(explain: Explain) -> None:
    assert explain("7.8", "MB") == explain("7.8 MB")


def test_a_rate_of_the_specs_is_no_share(explain: Explain) -> None:
    code, output, _ = explain("0.2 %")  # a learning rate is 0.002
    assert "lr" not in output
    code, output, _ = explain("30 %")
    assert code == 0 and "student.depth" in output


def test_a_figure_that_several_values_round_to_says_so(explain: Explain) -> None:
    Path("a.md").write_text("it loses 30 %\n")
    _, output, _ = explain("a.md")
    assert "; 3 other values round to it too" in output


def test_a_figure_that_nothing_holds_is_one_message(explain: Explain) -> None:
    code, _, errors = explain("7.9 MB")
    assert code == 1 and "nothing that is here holds 7.9 MB" in errors and "dvc pull" in errors


def test_a_document_is_checked_figure_by_figure(explain: Explain) -> None:
    Path("a.md").write_text("It takes 7.8 MB\nand 9.87 MB.\n")
    code, output, _ = explain("a.md")
    assert code == 1
    first, second = output.splitlines()
    assert first.startswith("a.md:1: 7.8 MB: size_MB of")
    assert second == "a.md:2: 9.87 MB: nothing that is here holds it"


def test_a_stored_output_holds_the_figure_of_a_document(explain: Explain) -> None:
    OUTPUTS.mkdir(parents=True)
    (OUTPUTS / "engine.txt").write_text("$ python benchmarks/engine.py\nit takes 9.87 MB\n")
    code, output, _ = explain("9.87 MB")
    assert code == 0
    assert "in benchmarks/results/engine.txt; again: python benchmarks/engine.py" in output


@pytest.mark.parametrize("text", ["", "fast", "7 sheep", "7 MB a day", "1e9", "\x1b[31m", "--5 s"])
def test_what_is_no_figure_is_one_message(text: str) -> None:
    with pytest.raises(DustError, match="is no figure"):
        parse_figure(text)


def test_a_document_that_cannot_be_read_is_one_message(explain: Explain) -> None:
    code, _, errors = explain("absent.md")
    assert code == 2 and "cannot be read" in errors
    Path("b.md").write_bytes(b"\xff\xfe 7 MB")
    code, _, errors = explain("b.md")
    assert code == 2 and "cannot be read" in errors


def test_a_benchmark_is_named_first_only_where_the_document_names_it(explain: Explain) -> None:
    OUTPUTS.mkdir(parents=True)
    (OUTPUTS / "engine.txt").write_text("$ python benchmarks/engine.py\nit takes 7.78 MB\n")
    for text, held in (("", "size_MB of"), ("by `benchmarks/engine.py`", "line 2 = 7.78 MB")):
        Path("a.md").write_text(f"It takes 7.78 MB {text}\n")
        code, output, _ = explain("a.md")
        assert code == 0
        assert output.startswith(f"a.md:1: 7.78 MB: {held}")
