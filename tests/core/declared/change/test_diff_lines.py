"""`dust diff` on success lines."""

import re

import pytest
from written_waivers import in_days, waiver

K1 = "    K-1:\n"
DISTILL = "specs/v1/distill.yaml"
GATES = "specs/v1/gates.yaml"


def test_a_loosened_line_is_refused(project):
    project.edit(GATES, "value: 1.0", "value: 2.5")
    project.commit()
    answer = project.dust("diff", "main", "HEAD")
    assert answer.code == 1
    assert "the line quality_kept is loosened" in answer.out
    [line] = answer.rows("Success lines")
    assert line[:4] == [
        "`quality_kept`",
        "**loosened**",
        "`delta1_drop <= 1 % against P0-2`",
        "`delta1_drop <= 2.5 % against P0-2`",
    ]
    assert "`K-1`" in line[4]
    assert line[5] == "**missing**"


def test_a_lower_line_is_loosened_where_more_is_asked(project):
    project.edit(GATES, "value: 25", "value: 20")
    answer = project.dust("diff", "main")
    assert answer.code == 1
    assert answer.rows("Success lines")[0][1] == "**loosened**"


def test_a_tightened_line_needs_no_leave(project):
    project.edit(GATES, "value: 25", "value: 30")
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert answer.rows("Success lines")[0][1] == "**tightened**"


def test_a_waiver_gives_leave_until_it_expires(project):
    path = project.root / GATES
    text = path.read_text().replace("      value: 25", f"      value: 20\n      {waiver(25, 20)}")
    path.write_text(text)
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert f"until {in_days(90)}, `@ana`: `attention is slower in INT8 here`" in answer.out
    assert answer.rows("Waivers")[0][1] == "**added**"
    path.write_text(text.replace(in_days(90), "2020-01-01"))
    answer = project.dust("diff", "main")
    assert answer.code == 1
    assert [row[1] for row in answer.rows("Waivers")] == ["**added**", "**expired**"]


def test_a_task_that_takes_a_laxer_line_loosens_it(project):
    project.edit(DISTILL, "gate: [quality_kept]", "gate: [quality_pruned]", after=K1)
    answer = project.dust("diff", "main")
    assert answer.code == 1
    [line] = answer.rows("Success lines")
    assert line[1] == "**loosened**"
    assert line[4] == "`K-1`"


def test_a_task_that_leaves_a_line_out_drops_it(project):
    project.edit(
        "specs/v1/kq.yaml", "gate: [quality_kept, latency_halved_student]", "gate: [quality_kept]"
    )
    answer = project.dust("diff", "main")
    assert answer.code == 1
    assert "the line latency_halved_student is dropped (KQ-2)" in answer.out


def test_another_baseline_is_another_line(project):
    project.edit(GATES, "baseline: K-4", "baseline: P0-2")
    answer = project.dust("diff", "main")
    assert answer.code == 1
    assert answer.rows("Success lines")[0][1] == "**moved**"


def test_a_line_under_another_name_is_the_same_line(project):
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace("quality_pruned", "pruned_quality"))
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert answer.rows("Success lines") == []


@pytest.mark.parametrize(
    "line", ["  gates: {quality_kept: {value: 5.0}}", "  seed: 7", "  quality: {primary: absrel}"]
)
def test_a_profile_that_touches_a_line_is_refused(project, line):
    path = project.root / "specs/profiles/small.yaml"
    path.write_text(path.read_text().replace("spec:\n", f"spec:\n{line}\n"))
    project.commit()
    answer = project.dust("diff", "main", "HEAD")
    key = line.split(":")[0].strip()
    assert answer.code == 1
    assert re.search(rf"specs/profiles/small\.yaml:8:\d+: spec\.{key}", answer.out)
    judged = project.dust("validate", "specs")
    assert judged.code == 1
    assert "PROF001" in judged.out
