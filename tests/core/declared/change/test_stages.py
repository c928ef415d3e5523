"""The order of stages."""

import re

import pytest

from dust_core.declared.change.stages import Stage, in_order
from dust_core.errors import DustError


def graph(**reads: str) -> dict[str, Stage]:
    """Stages that write a file of their own name and read those named."""
    return {
        name: Stage(name, f"run {name}", {}, tuple(files.split()), (name,))
        for name, files in reads.items()
    }


def test_a_stage_comes_after_those_it_reads_and_else_where_the_specs_have_it() -> None:
    assert in_order(graph(a="", b="d", c="", d="a", e="b")) == ("a", "c", "d", "b", "e")
    assert in_order(graph(c="", b="", a="")) == ("c", "b", "a")


def test_a_circle_is_named() -> None:
    with pytest.raises(DustError, match="stages wait for each other") as caught:
        in_order(graph(a="", b="c", c="b", d="b"))
    assert set(re.findall(r"\b[abcd]\b", caught.value.what)) == {"b", "c"}


def test_diff_and_plan_say_the_same_of_a_section_that_is_one_key(project) -> None:
    project.execute("K-1")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit("executed")
    project.git("checkout", "--quiet", "-B", "work")
    project.edit("specs/v1/workload.yaml", "; see data/LICENCES.md", "")
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert "Wording and estimates, which decide nothing: 1 change" in answer.out
    reasons = {row[0]: row[1] for row in answer.rows("Stages to run")}
    assert "`the workload`" in reasons["`K-1`"]
    assert re.search(r"K-1 .*the workload changed", project.dust("plan", "K-1").out)
