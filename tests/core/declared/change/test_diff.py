"""`dust diff` on pull requests in real repositories."""

import json

from declared_specs import another_precision

K1 = "    K-1:\n"
K2 = "    K-2:\n"
DISTILL = "specs/v1/distill.yaml"
GATES = "specs/v1/gates.yaml"


def test_a_comment_is_no_change_in_meaning(project):
    for file in sorted(project.root.glob("specs/*/*.yaml")):
        file.write_text(f"{file.read_text()}\n# a word to the reader\n")
    project.commit()
    answer = project.dust("diff", "main", "HEAD")
    assert answer.code == 0
    assert "No change in meaning" in answer.out


def test_another_order_or_spelling_is_no_change_in_meaning(project):
    project.edit(DISTILL, "T: 3\n      beta: 0.5", "beta: 0.50\n      T: 3.0", after=K1)
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert "No change in meaning" in answer.out


def test_a_hypothesis_and_an_estimate_make_nothing_stale(project):
    project.edit(DISTILL, "At T = 3 location", "With T = 3 location")
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert "No change in meaning" in answer.out
    assert "which decide nothing: 1 change" in answer.out
    project.edit(DISTILL, "expected_gpu_hours: 40", "expected_gpu_hours: 65", after=K1)
    answer = project.dust("diff", "main")
    assert "| none | none | none | 0 | +25 |" in answer.out  # lines, tasks, stages, hours


def test_a_changed_task_is_told_field_by_field_with_what_builds_on_it(project):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K2)
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert "| `patience` | `3` | `5` |" in answer.out
    stale = {row[0].strip("`"): row[1] for row in answer.rows("Stages to run")}
    assert stale["K-2"] == "`its spec`"
    assert stale["K-4"] == "builds on `K-2`"
    assert {"KQ-1", "KQ-2", "KQ-3"} < set(stale)
    assert {"K-1", "K-3", "Q-1", "P0-2"}.isdisjoint(stale)


def test_parameters_taken_over_from_another_task_count(project):
    project.edit("specs/v1/quant.yaml", "smoothing: null", "smoothing: 0.5")
    answer = project.dust("diff", "main")
    stale = {row[0].strip("`"): row[1] for row in answer.rows("Stages to run")}
    assert "`what the tasks of quant.yaml share`" in stale["Q-1"]
    assert "`what the tasks of quant.yaml share`" in stale["KQ-2"]


def test_an_added_task_adds_its_gpu_hours(project):
    path = project.root / DISTILL
    text = path.read_text()
    block = text.partition(K1)[2].partition(K2)[0]
    block = block.replace("T: 3\n", "T: 4\n").replace("t3b05", "t4b05").replace("T3B05", "T4B05")
    path.write_text(f"{text.rstrip()}\n    K-5:\n{block}")
    answer = project.dust("diff", "main")
    assert answer.code == 0, answer
    assert "**K-5** added, +40 GPU hours" in answer.out
    assert "| none | 1 added | 1 | 40 | +40 |" in answer.out
    assert ["`K-5`", "`new`", "never", "40"] in answer.rows("Stages to run")


def test_an_added_task_is_shown_with_its_title_and_its_hypothesis(project):
    path = project.root / DISTILL
    text = path.read_text()
    block = text.partition(K1)[2].partition(K2)[0].replace("T: 3\n", "T: 4\n")
    block = block.replace("t3b05", "t4b05").replace("T3B05", "T4B05")
    lines = [line for line in block.splitlines() if line.startswith("      ")]
    start = next(i for i, line in enumerate(lines) if line.lstrip().startswith("hypothesis:"))
    end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith("       "))
    hypothesis = "It **holds** `all` of <b>@them</b> | " + "and more " * 100
    lines[start:end] = [f"      hypothesis: '{hypothesis.strip()}'"]
    path.write_text("\n".join([text.rstrip(), "    K-5:", *lines, ""]))
    title = next(line.partition(": ")[2] for line in lines if line.lstrip().startswith("title:"))
    out = project.dust("diff", "main").out
    added = out.partition("**K-5** added")[2]
    assert (
        f"\n- title: `{title}`\n- hypothesis: `It **holds** 'all' of <b>@them</b> \\| and" in added
    )
    (shown,) = [line for line in added.splitlines() if line.startswith("- hypothesis: ")]
    assert shown.endswith("…`") and len(shown) < 650


def test_a_renamed_task_is_told_as_one(project):
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace("K-2", "K-5"))
    answer = project.dust("diff", "main")
    assert answer.code == 0
    assert "**K-2** renamed to **K-5**" in answer.out
    assert "1 renamed" in answer.out


def test_a_renamed_task_is_refused_once_it_was_executed(project):
    project.execute("K-2")
    project.git("checkout", "--quiet", "main")
    project.commit("executed")
    project.git("checkout", "--quiet", "-B", "work")
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace("K-2", "K-5"))
    answer = project.dust("diff", "main")
    assert answer.code == 1
    assert "K-2 was executed as K_T5B05_run1 and is renamed to K-5" in answer.out


def test_a_profile_makes_its_own_stages_stale(project):
    was, now = another_precision()
    project.edit("specs/profiles/small.yaml", was, now)
    answer = project.dust("diff", "main")
    assert answer.code == 0
    values = " | ".join(f"`{text.removeprefix('float_precision: ')}`" for text in (was, now))
    assert f"| `runtime.float_precision` | {values} |" in answer.out
    stale = {row[0] for row in answer.rows("Stages to run, under `small`")}
    assert {"`P0-2`", "`KQ-3`"} <= stale


def test_json_says_the_same(project):
    project.edit(GATES, "value: 1.0", "value: 2.5")
    answer = project.dust("diff", "main", "--format", "json")
    assert answer.code == 1
    data = json.loads(answer.out)
    assert data["lines"][0]["direction"] == "loosened"
    assert data["lines"][0]["new"]["gate"]["value"] == 2.5
    assert len(data["refusals"]) == 1
