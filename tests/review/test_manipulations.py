"""Every manipulation is caught by the command that the review runs, and honest changes pass."""

import re

import pytest
from manipulations import CASES, Case
from manipulations.clone import Clone

from dust_core.cli import main


def dust(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a command, and everything that it prints, on one line."""
    capsys.readouterr()
    code = 0
    try:
        main(command.split())
    except SystemExit as ending:
        code = int(ending.code or 0)
    said = capsys.readouterr()
    return code, " ".join((said.out + said.err).split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_review_says_what_is_right(
    case: Case, clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    case.change(clone)
    if case.commits:
        clone.commit()
    code, said = dust(case.command, capsys)
    assert re.search(".*".join(map(re.escape, case.said.split(" ... "))), said)
    assert code == case.code


def test_nothing_is_said_of_a_project_that_is_as_it_was(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = dust("diff main", capsys)
    assert code == 0
    assert "**No change in meaning.** Approving this approves no experiment." in said
    assert dust("validate specs --ignore DATA", capsys)[0] == 0
