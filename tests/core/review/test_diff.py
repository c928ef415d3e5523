"""`dust diff` on pull requests in real repositories."""

import json
import re

import pytest

WAIVER = 'waiver: {reason: attention is slower in INT8 here, owner: "@ana", expires: EXPIRES}'
K1 = "    K-1:\n"
K2 = "    K-2:\n"
DISTILL = "specs/v1/distill.yaml"
GATES = "specs/v1/gates.yaml"


def rows(markdown: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its header."""
    section = markdown.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_a_comment_is_no_change_in_meaning(project):
    for file in sorted(project.root.glob("specs/*/*.yaml")):
        file.write_text(f"{file.read_text()}\n# a word to the reader\n")
    project.commit()
    found = project.dust("diff", "main", "HEAD")
    assert found.code == 0
    assert "No change in meaning" in found.out


def test_another_order_or_spelling_is_no_change_in_meaning(project):
    project.edit(DISTILL, "T: 3\n      beta: 0.5", "beta: 0.50\n      T: 3.0", after=K1)
    found = project.dust("diff", "main")
    assert found.code == 0
    assert "No change in meaning" in found.out


def test_a_hypothesis_and_an_estimate_make_nothing_stale(project):
    project.edit(DISTILL, "At T = 3 location", "With T = 3 location")
    found = project.dust("diff", "main")
    assert found.code == 0
    assert "No change in meaning" in found.out
    assert "which decide nothing: 1 change" in found.out
    project.edit(DISTILL, "expected_gpu_hours: 40", "expected_gpu_hours: 65", after=K1)
    found = project.dust("diff", "main")
    assert "| GPU hours of all tasks | +25 |" in found.out
    assert "| stages to run | none |" in found.out


def test_a_loosened_line_is_refused(project):
    project.edit(GATES, "value: 1.0", "value: 2.5")
    project.commit()
    found = project.dust("diff", "main", "HEAD")
    assert found.code == 1
    assert "the line quality_kept is loosened" in found.out
    [line] = rows(found.out, "Success lines")
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
    found = project.dust("diff", "main")
    assert found.code == 1
    assert rows(found.out, "Success lines")[0][1] == "**loosened**"


def test_a_tightened_line_needs_no_leave(project):
    project.edit(GATES, "value: 25", "value: 30")
    found = project.dust("diff", "main")
    assert found.code == 0
    assert rows(found.out, "Success lines")[0][1] == "**tightened**"


def test_a_waiver_gives_leave_until_it_expires(project):
    path = project.root / GATES
    text = path.read_text().replace("      value: 25", f"      value: 20\n      {WAIVER}")
    path.write_text(text.replace("EXPIRES", "2099-12-31"))
    found = project.dust("diff", "main")
    assert found.code == 0
    assert "until 2099-12-31, `@ana`: `attention is slower in INT8 here`" in found.out
    assert rows(found.out, "Waivers")[0][1] == "**added**"
    path.write_text(text.replace("EXPIRES", "2020-01-01"))
    found = project.dust("diff", "main")
    assert found.code == 1
    assert [row[1] for row in rows(found.out, "Waivers")] == ["**added**", "**expired**"]


def test_a_task_that_takes_a_laxer_line_loosens_it(project):
    project.edit(DISTILL, "gate: [quality_kept]", "gate: [quality_pruned]", after=K1)
    found = project.dust("diff", "main")
    assert found.code == 1
    [line] = rows(found.out, "Success lines")
    assert line[1] == "**loosened**"
    assert line[4] == "`K-1`"


def test_a_task_that_leaves_a_line_out_drops_it(project):
    project.edit(
        "specs/v1/kq.yaml", "gate: [quality_kept, latency_halved_student]", "gate: [quality_kept]"
    )
    found = project.dust("diff", "main")
    assert found.code == 1
    assert "the line latency_halved_student is dropped (KQ-2)" in found.out


def test_another_baseline_is_another_line(project):
    project.edit(GATES, "baseline: K-4", "baseline: P0-2")
    found = project.dust("diff", "main")
    assert found.code == 1
    assert rows(found.out, "Success lines")[0][1] == "**moved**"


def test_a_line_under_another_name_is_the_same_line(project):
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace("quality_pruned", "pruned_quality"))
    found = project.dust("diff", "main")
    assert found.code == 0
    assert rows(found.out, "Success lines") == []


def test_a_changed_task_is_told_field_by_field_with_what_builds_on_it(project):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K2)
    found = project.dust("diff", "main")
    assert found.code == 0
    assert "| `patience` | `3` | `5` |" in found.out
    stale = {row[0].strip("`"): row[1] for row in rows(found.out, "Stages to run")}
    assert stale["K-2"] == "`its spec`"
    assert stale["K-4"] == "builds on `K-2`"
    assert {"KQ-1", "KQ-2", "KQ-3"} < set(stale)
    assert {"K-1", "K-3", "Q-1", "P0-2"}.isdisjoint(stale)


def test_parameters_taken_over_from_another_task_count(project):
    project.edit("specs/v1/quant.yaml", "smoothing: null", "smoothing: 0.5")
    found = project.dust("diff", "main")
    stale = {row[0].strip("`"): row[1] for row in rows(found.out, "Stages to run")}
    assert "`what the tasks of quant.yaml share`" in stale["Q-1"]
    assert "`what the tasks of quant.yaml share`" in stale["KQ-2"]


def test_an_added_task_adds_its_gpu_hours(project):
    path = project.root / DISTILL
    text = path.read_text()
    block = text.partition(K1)[2].partition(K2)[0]
    block = block.replace("T: 3\n", "T: 4\n").replace("t3b05", "t4b05").replace("T3B05", "T4B05")
    path.write_text(f"{text.rstrip()}\n    K-5:\n{block}")
    found = project.dust("diff", "main")
    assert found.code == 0, found
    assert "**K-5** added, +40 GPU hours" in found.out
    assert "| GPU hours of all tasks | +40 |" in found.out
    assert ["`K-5`", "`new`", "never", "40"] in rows(found.out, "Stages to run")


def test_a_renamed_task_is_told_as_one(project):
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace("K-2", "K-5"))
    found = project.dust("diff", "main")
    assert found.code == 0
    assert "**K-2** renamed to **K-5**" in found.out
    assert "1 renamed" in found.out


def test_a_renamed_task_is_refused_once_it_was_executed(project):
    project.execute("K-2")
    project.git("checkout", "--quiet", "main")
    project.commit("executed")
    project.git("checkout", "--quiet", "-B", "work")
    for file in sorted(project.root.glob("specs/v1/*.yaml")):
        file.write_text(file.read_text().replace("K-2", "K-5"))
    found = project.dust("diff", "main")
    assert found.code == 1
    assert "K-2 was executed as K_T5B05_run1 and is renamed to K-5" in found.out


@pytest.fixture
def executed(project):
    """The repository after K-1 and K-2 were executed, and their lock was merged."""
    project.execute("K-1", "K-2")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit("executed")
    project.git("checkout", "--quiet", "-B", "work")
    return project


def test_an_executed_task_is_immutable(executed):
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    executed.commit()
    found = executed.dust("diff", "main", "HEAD")
    assert found.code == 1
    assert "K-1 was executed as K_T3B05_run1 and changes (patience): write run: 2" in found.out


def test_the_next_run_may_change(executed):
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    executed.edit(DISTILL, "run: 1", "run: 2", after=K1)
    executed.edit(DISTILL, "K_T3B05_run1", "K_T3B05_run2", after=K1)
    found = executed.dust("diff", "main")
    assert found.code == 0
    assert "executed under `small`" in found.out


def test_an_executed_run_is_not_used_again(executed):
    executed.edit(DISTILL, "run: 1", "run: 2", after=K1)
    executed.edit(DISTILL, "K_T3B05_run1", "K_T3B05_run2", after=K1)
    executed.git("checkout", "--quiet", "-B", "main")
    executed.execute("K-1")
    executed.commit("run 2, executed")
    executed.git("checkout", "--quiet", "-B", "work")
    executed.edit(DISTILL, "run: 2", "run: 1", after=K1)
    executed.edit(DISTILL, "K_T3B05_run2", "K_T3B05_run1", after=K1)
    found = executed.dust("diff", "main")
    assert found.code == 1
    assert "write run: 3" in found.out


def test_an_executed_id_is_not_given_to_another_task(executed):
    path = executed.root / DISTILL
    text = path.read_text()
    block = text.partition(K1)[2].partition(K2)[0].replace("patience: 3", "patience: 4")
    path.write_text(f"{text.rstrip()}\n    K-5:\n{block}")
    found = executed.dust("diff", "main")
    assert found.code == 1
    assert "executed as K_T3B05_run1, and K-5 takes that id for another experiment" in found.out


def test_taking_back_a_run_that_never_ran_is_no_conflict(executed):
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    executed.edit(DISTILL, "run: 1", "run: 2", after=K1)
    executed.edit(DISTILL, "K_T3B05_run1", "K_T3B05_run2", after=K1)
    executed.git("checkout", "--quiet", "-B", "main")
    executed.commit("run 2, not executed")
    executed.git("checkout", "--quiet", "-B", "work")
    executed.git("revert", "--no-edit", "HEAD")
    assert executed.dust("diff", "main", "HEAD").code == 0


def test_an_executed_task_is_not_removed(executed):
    path = executed.root / DISTILL
    before, _, rest = path.read_text().partition(K2)
    text = before + "    K-3:\n" + rest.partition("    K-3:\n")[2]
    path.write_text(
        text.replace("[K-1, K-2, K-3]", "[K-1, K-3]").replace("student_fp32_t5b05.pth, ", "")
    )
    found = executed.dust("diff", "main")
    assert found.code == 1
    assert "K-2 was executed as K_T5B05_run1 and is removed" in found.out


def test_a_line_of_executed_tasks_is_part_of_what_was_executed(executed):
    executed.edit(GATES, "value: 1.0", "value: 0.5")
    found = executed.dust("diff", "main")
    assert found.code == 1
    assert "changes (the line quality_kept)" in found.out


def test_runs_under_a_profile_that_is_never_quoted_bind_nobody(project):
    project.execute("K-1", profile="ci")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit("executed under ci")
    project.git("checkout", "--quiet", "-B", "work")
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    assert project.dust("diff", "main").code == 0


def test_what_the_base_executed_since_counts(project):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    project.commit()
    project.git("checkout", "--quiet", "main")
    project.execute("K-1")
    project.commit("executed meanwhile")
    project.git("checkout", "--quiet", "work")
    found = project.dust("diff", "main", "HEAD")
    assert found.code == 1
    assert "K-1 was executed as K_T3B05_run1" in found.out


def test_what_the_base_changed_since_is_not_this_pull_request(project):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    project.commit()
    project.git("checkout", "--quiet", "main")
    project.edit(GATES, "value: 25", "value: 30")
    project.commit("main goes on")
    project.git("checkout", "--quiet", "work")
    found = project.dust("diff", "main", "HEAD")
    assert rows(found.out, "Success lines") == []
    assert "`patience`" in found.out


@pytest.mark.parametrize(
    "line", ["  gates: {quality_kept: {value: 5.0}}", "  seed: 7", "  quality: {primary: absrel}"]
)
def test_a_profile_that_touches_a_line_is_refused(project, line):
    path = project.root / "specs/profiles/small.yaml"
    path.write_text(path.read_text().replace("spec:\n", f"spec:\n{line}\n"))
    project.commit()
    found = project.dust("diff", "main", "HEAD")
    key = line.split(":")[0].strip()
    assert found.code == 1
    assert re.search(rf"specs/profiles/small\.yaml:8:\d+: spec\.{key}", found.out)
    judged = project.dust("validate", "specs")
    assert judged.code == 1
    assert "PROF001" in judged.out


def test_a_profile_makes_its_own_stages_stale(project):
    project.edit("specs/profiles/small.yaml", "float_precision: bf16", "float_precision: fp32")
    found = project.dust("diff", "main")
    assert found.code == 0
    assert "| `runtime.float_precision` | `bf16` | `fp32` |" in found.out
    stale = {row[0] for row in rows(found.out, "Stages to run, under `small`")}
    assert {"`P0-2`", "`KQ-3`"} <= stale


def test_json_says_the_same(project):
    project.edit(GATES, "value: 1.0", "value: 2.5")
    found = project.dust("diff", "main", "--format", "json")
    assert found.code == 1
    data = json.loads(found.out)
    assert data["lines"][0]["direction"] == "loosened"
    assert data["lines"][0]["new"]["gate"]["value"] == 2.5
    assert len(data["refusals"]) == 1


def test_first_specs_are_all_added(project):
    project.git("checkout", "--quiet", "--orphan", "empty")
    project.git("rm", "-r", "--quiet", "--cached", ".")
    project.git("commit", "--quiet", "--allow-empty", "-m", "nothing")
    project.git("checkout", "--quiet", "-b", "first")
    project.commit("specs")
    found = project.dust("diff", "empty", "HEAD")
    assert found.code == 0
    assert "**K-1** added, +40 GPU hours" in found.out


def test_text_of_a_pull_request_stays_text(project):
    bad = "@everyone <img src=x> `|` [x](http://x) **b**"
    project.edit(DISTILL, "title: Distill at T = 3\n", f'title: "{bad}"\n')
    found = project.dust("diff", "main")
    assert "`@everyone <img src=x> '\\|' [x](http://x) **b**`" in found.out


def test_it_says_what_is_wrong_with_a_revision(project, tmp_path, monkeypatch):
    found = project.dust("diff", "man")
    assert found.code == 2
    assert "git knows no commit 'man'" in found.err
    found = project.dust("diff", "--", "--output=x")
    assert found.code == 2
    assert "git knows no commit '--output=x'" in found.err
    (tmp_path / "elsewhere" / "specs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = project.dust("diff", "main")
    assert found.code == 2
    assert "not in a git repository" in found.err


def test_a_shallow_clone_is_told_to_fetch(project, tmp_path, monkeypatch):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    project.commit()
    shallow = tmp_path / "shallow"
    project.git(
        "clone", "--quiet", "--depth", "1", "--branch", "work", f"file://{project.root}",
        str(shallow),
    )  # fmt: skip
    monkeypatch.chdir(shallow)
    found = project.dust("diff", "origin/main")
    assert found.code == 2
    assert "git fetch --unshallow" in found.err


def test_a_base_without_common_history_is_an_error(project):
    project.git("checkout", "--quiet", "--orphan", "other")
    project.commit("unrelated")
    found = project.dust("diff", "main", "HEAD")
    assert found.code == 2
    assert "no common history" in found.err


def test_a_link_among_the_specs_is_refused(project):
    (project.root / "specs/v1/extra.yaml").symlink_to("/etc/passwd")
    project.commit()
    found = project.dust("diff", "main", "HEAD")
    assert found.code == 2
    assert "not a regular file" in found.err


def test_a_broken_lock_is_named(project):
    (project.root / "dvc.lock").write_text("schema: '2.0'\nstages: {K-1: {params: 3}}\n")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit()
    found = project.dust("diff", "main")
    assert found.code == 2
    assert "dvc.lock: not a lock that DVC wrote" in found.err


def test_a_project_may_lie_below_the_top_of_its_repository(project):
    project.git("checkout", "--quiet", "main")
    (project.root / "inner").mkdir()
    project.git("mv", "specs", "inner/specs")
    project.commit()
    project.git("checkout", "--quiet", "-B", "work")
    project.edit("inner/specs/v1/gates.yaml", "value: 1.0", "value: 2.5")
    found = project.dust("diff", "main", "--specs", "inner/specs")
    assert found.code == 1
    assert "the line quality_kept is loosened" in found.out
