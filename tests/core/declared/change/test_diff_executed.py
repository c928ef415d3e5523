"""`dust diff` on tasks that were executed."""

import pytest

DISTILL = "specs/v1/distill.yaml"
GATES = "specs/v1/gates.yaml"
K1 = "    K-1:\n"
K2 = "    K-2:\n"


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
    answer = executed.dust("diff", "main", "HEAD")
    assert answer.code == 1
    assert (
        "K-1 was executed as K_T3B05_run1 and changes (patience): restore it, or write run: 2"
        in answer.out
    )


def test_the_next_run_may_change(executed):
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    executed.edit(DISTILL, "run: 1", "run: 2", after=K1)
    executed.edit(DISTILL, "K_T3B05_run1", "K_T3B05_run2", after=K1)
    answer = executed.dust("diff", "main")
    assert answer.code == 0
    assert "executed under `small`" in answer.out


def test_an_executed_run_is_not_used_again(executed):
    executed.edit(DISTILL, "run: 1", "run: 2", after=K1)
    executed.edit(DISTILL, "K_T3B05_run1", "K_T3B05_run2", after=K1)
    executed.git("checkout", "--quiet", "-B", "main")
    executed.execute("K-1")
    executed.commit("run 2, executed")
    executed.git("checkout", "--quiet", "-B", "work")
    executed.edit(DISTILL, "run: 2", "run: 1", after=K1)
    executed.edit(DISTILL, "K_T3B05_run2", "K_T3B05_run1", after=K1)
    answer = executed.dust("diff", "main")
    assert answer.code == 1
    assert "write run: 3" in answer.out


def test_an_executed_id_is_not_given_to_another_task(executed):
    path = executed.root / DISTILL
    text = path.read_text()
    block = text.partition(K1)[2].partition(K2)[0].replace("patience: 3", "patience: 4")
    path.write_text(f"{text.rstrip()}\n    K-5:\n{block}")
    answer = executed.dust("diff", "main")
    assert answer.code == 1
    assert "executed as K_T3B05_run1, and K-5 takes that id for another experiment" in answer.out


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
    answer = executed.dust("diff", "main")
    assert answer.code == 1
    assert "K-2 was executed as K_T5B05_run1 and is removed" in answer.out


def test_a_line_of_executed_tasks_is_part_of_what_was_executed(executed):
    executed.edit(GATES, "value: 1.0", "value: 0.5")
    answer = executed.dust("diff", "main")
    assert answer.code == 1
    assert "change (the line quality_kept)" in answer.out


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
    answer = project.dust("diff", "main", "HEAD")
    assert answer.code == 1
    assert "K-1 was executed as K_T3B05_run1" in answer.out


def test_what_the_base_changed_since_is_not_this_pull_request(project):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    project.commit()
    project.git("checkout", "--quiet", "main")
    project.edit(GATES, "value: 25", "value: 30")
    project.commit("main goes on")
    project.git("checkout", "--quiet", "work")
    answer = project.dust("diff", "main", "HEAD")
    assert answer.rows("Success lines") == []
    assert "`patience`" in answer.out
