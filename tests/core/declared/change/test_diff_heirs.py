"""`dust diff`: lines follow stage and kind, whatever the ids of tasks."""

import pytest
from written_waivers import loosened

PRUNE = "specs/v1/prune.yaml"
QUANT = "specs/v1/quant.yaml"
DISTILL = "specs/v1/distill.yaml"
GATES = "specs/v1/gates.yaml"
P3 = "    P-3:\n"
P3_LINES = "gate: [quality_pruned, smaller_by_quarter]"


def rename(project, old: str, new: str) -> None:
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace(f"{old}", f"{new}"))


def remove(project, path: str, task: str) -> str:
    """Remove a task from a file, and give back its text."""
    file = project.root / path
    before, mark, rest = file.read_text().partition(f"    {task}:\n")
    lines = rest.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if not line.startswith("      ")), len(lines))
    file.write_text(before + "".join(lines[end:]))
    return mark + "".join(lines[:end])


def test_a_renamed_task_that_drops_a_line_is_refused(project):
    rename(project, "P-3", "P-4")
    assert project.refusals() == []
    project.edit(PRUNE, P3_LINES, "gate: [quality_pruned]")
    assert project.refusals() == [
        "the line smaller_by_quarter is dropped (P-4), which no waiver permits"
    ]


def test_a_task_renamed_with_other_parameters_is_still_the_same_task(project):
    rename(project, "K-2", "K-5")
    project.edit(DISTILL, "patience: 3", "patience: 5", after="    K-5:\n")
    answer = project.dust("diff", "main")
    assert "**K-2** renamed to **K-5**" in answer.out
    assert answer.code == 0
    project.edit(DISTILL, "gate: [quality_kept]", "gate: [curve_stable]", after="    K-5:\n")
    assert "the line quality_kept is dropped (K-5), which no waiver permits" in project.refusals()


def test_of_two_new_tasks_the_more_similar_is_in_the_place_of_the_old(project):
    path = project.root / DISTILL
    block = remove(project, DISTILL, "K-2").replace("T5B05", "T4B05").replace("t5b05", "t4b05")
    other = block.replace("K-2", "K-6").replace("T: 5", "T: 4").replace("beta: 0.5", "beta: 0.6")
    near = block.replace("K-2", "K-7").replace("T: 5", "T: 4")
    path.write_text(f"{path.read_text().rstrip()}\n{other}{near}")
    for task in ("[K-1, K-2, K-3]", "[K-1, K-2, K-3]"):
        project.edit(DISTILL, task, "[K-1, K-7, K-3]")
    answer = project.dust("diff", "main")
    assert "**K-2** renamed to **K-7**" in answer.out
    assert "**K-6** added" in answer.out


@pytest.mark.parametrize("executed", [False, True])
def test_the_last_holder_of_a_line_may_not_go(project, executed):
    if executed:
        project.execute("P-3")
        project.merge()
    remove(project, PRUNE, "P-3")
    refusals = project.refusals()
    for line in ("quality_pruned", "smaller_by_quarter"):
        assert f"the line {line} is dropped (P-3), which no waiver permits" in refusals


def test_a_line_that_fewer_tasks_hold_is_named(project):
    remove(project, DISTILL, "K-2")
    project.edit(DISTILL, "[K-1, K-2, K-3]", "[K-1, K-3]")
    project.edit(DISTILL, "[K-1, K-2, K-3]", "[K-1, K-3]")
    project.edit(DISTILL, " student_fp32_t5b05.pth,", "")
    answer = project.dust("diff", "main")
    assert [row[:2] + row[4:] for row in answer.rows("Success lines")] == [
        ["`quality_kept`", "**dropped**", "`K-2`", "not needed"]
    ]
    assert project.refusals() == [
        "specs/v1/distill.yaml: K-4.candidates changes so that passing is easier (a choice among "
        "others has another winner): restore it, or write the next run of K-4"
    ]


def test_a_task_of_another_kind_under_the_same_id_inherits_nothing(project):
    text = remove(project, PRUNE, "P-3")
    lines = [
        line.replace("evaluate-pruned", "prune")
        .replace("on_failure: record", "on_failure: stop")
        .replace("[prune_eval.json]", "[pruned_r040.pth]")
        for line in text.splitlines()
    ]
    lines = [line.replace("exp_id: null", "exp_id: P_r040_run1") for line in lines]
    lines += ["      rho: 0.4", "      epochs: 12", "      patience: 3", ""]
    path = project.root / PRUNE
    path.write_text(path.read_text().rstrip() + "\n" + "\n".join(lines))
    assert project.refusals() == [
        "the line quality_pruned is dropped (P-3), which no waiver permits",
        "the line smaller_by_quarter is dropped (P-3), which no waiver permits",
    ]


def test_a_new_task_has_the_lines_that_its_siblings_have_tightened(project):
    project.edit(GATES, "value: 1.0", "value: 0.5")
    project.edit(
        GATES,
        "    curve_stable:",
        "    quality_agreed:\n      {title: As agreed, metric: delta1_drop, op: <=, value: 1.0, "
        'unit: "%", baseline: P0-2}\n    curve_stable:',
    )
    project.merge()
    path = project.root / DISTILL
    block = path.read_text().partition("    K-1:\n")[2].partition("    K-2:\n")[0]
    for old, new in (("T: 3\n", "T: 4\n"), ("t3b05", "t4b05"), ("T3B05", "T4B05")):
        block = block.replace(old, new)
    text = path.read_text().rstrip()
    path.write_text(f"{text}\n    K-5:\n{block}")
    assert project.refusals() == []
    path.write_text(f"{text}\n    K-5:\n{block.replace('quality_kept', 'quality_agreed')}")
    assert project.refusals() == [
        "the line quality_agreed is loosened (K-5) and no valid waiver says why"
    ]


def test_a_laxer_task_may_not_take_over(project):
    block = remove(project, QUANT, "Q-2")
    path = project.root / QUANT
    laxer = block.replace("Q-2", "Q-9").replace("quality_kept", "quality_pruned")
    laxer = laxer.replace("quant_ckpt.pth", "other_eval.json")
    laxer = laxer.replace("exp_id: Q_QAT_keepLN_run1", "exp_id: Q_QAT_keepLN_run2")
    laxer = laxer.replace("run: 1", "run: 2")
    path.write_text(f"{path.read_text().rstrip()}\n{block}{laxer}")
    project.edit(QUANT, "{escalate: Q-2}", "{escalate: Q-9}")
    assert project.refusals() == [
        "the line quality_pruned is loosened (Q-9) and no valid waiver says why",
        "specs/v1/quant.yaml: Q-1.on_failure changes so that passing is easier (a missed line has "
        "no consequence): restore it, or write the next run of Q-1",
        "specs/v1/quant.yaml:30:19: GATE011 a task that may not settle another takes over from "
        "it: found Q-9: delta1_drop <= 3 % against P0-2, expected delta1_drop <= 1 % against P0-2",
    ]
    assert project.invalid() == ["GATE001", "GATE011"]


def test_an_executed_task_is_not_settled_by_a_new_target(project):
    project.execute("Q-1")
    project.merge()
    block = remove(project, QUANT, "Q-2")
    path = project.root / QUANT
    second = block.replace("Q-2", "Q-9").replace("quant_ckpt.pth", "other_eval.json")
    second = second.replace("run: 1", "run: 2").replace("keepLN_run1", "keepLN_run2")
    path.write_text(f"{path.read_text().rstrip()}\n{block}{second}")
    project.edit(QUANT, "{escalate: Q-2}", "{escalate: Q-9}")
    address = "specs/v1/quant.yaml: Q-1.on_failure"
    permission = loosened(address, {"escalate": "Q-2"}, {"escalate": "Q-9"})
    project.edit(GATES, "  gates:\n", f"  waivers:\n{permission}  gates:\n")
    assert project.refusals() == [
        "Q-1 was executed as Q_PTQ_keepLN_run1 and changes (on_failure.escalate): restore it, or "
        "write run: 2 and its exp_id"
    ]
