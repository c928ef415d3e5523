"""Every mistake that a rule knows, through the Python API and the command line.

With DUST_REFRESH_EXAMPLES=1 the messages are written anew, for a person to read in the diff.
"""

import io
import os
from pathlib import Path

import check_examples as examples
import pytest

from dust_core import cli
from dust_core.declared.checks import Report, all_rules, validate
from dust_core.declared.checks.formats import write

REFRESH = os.environ.get("DUST_REFRESH_EXAMPLES") == "1"


def printed(report: Report) -> str:
    stream = io.StringIO()
    write(report, "text", stream)
    return stream.getvalue()


@pytest.mark.parametrize("example", examples.INVALID, ids=lambda path: path.stem)
def test_each_mistake_has_its_exact_message(
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(examples.build(example, tmp_path))
    expected = example.with_suffix(".txt")
    report = validate()
    if REFRESH:
        expected.write_text(printed(report), encoding="utf-8")
    rule = example.stem.partition("-")[0]
    assert rule in {finding.rule for finding in report.findings}
    assert printed(report) == expected.read_text(encoding="utf-8")

    with pytest.raises(SystemExit) as ending:
        cli.main(["validate"])
    assert capsys.readouterr().out == expected.read_text(encoding="utf-8")
    assert ending.value.code == (1 if report.errors else 0)


def test_the_valid_project_has_nothing_to_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(examples.build(None, tmp_path))
    report = validate()
    assert printed(report) == "0 errors, 0 warnings in 13 files\n"
    assert not report.findings
    assert not report.skipped


def test_every_rule_has_an_example() -> None:
    shown = {example.stem.partition("-")[0] for example in examples.INVALID}
    here = {rule.id for rule in all_rules() if type(rule).__module__.startswith("dust_core.")}
    assert shown == here


def test_every_example_has_its_message() -> None:
    messages = {path.stem for path in (examples.EXAMPLES / "invalid").glob("*.txt")}
    assert messages == {example.stem for example in examples.INVALID}
