"""`dust run` under a quotable profile: only what the protected branch has, or a draft."""

import os

import pytest
from declared_specs import more_repeats


@pytest.fixture(autouse=True)
def _no_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a command sets in the process is taken back: --draft marks it, and it counts its threads.
    monkeypatch.setenv("DUST_DRAFT", "1")
    monkeypatch.delenv("DUST_DRAFT")
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))


def test_a_task_runs_as_the_protected_branch_has_it(project):
    ran = project.dust("run", "P0-1")
    assert "the workload set is not here" in ran.err  # past the approval: its data is missing


@pytest.mark.parametrize(
    ("path", "old", "new", "part"),
    [
        ("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record", "its spec"),
        (
            "specs/v1/gates.yaml",
            'missing_pairs, op: "==", value: 0',
            'missing_pairs, op: "==", value: 1',
            "its spec",
        ),
        ("specs/v1/workload.yaml", *more_repeats(), "the workload"),
        ("specs/profiles/small.yaml", "threads: 2", "threads: 4", "the profile"),
    ],
)
@pytest.mark.parametrize("committed", [True, False])
def test_a_change_that_is_not_on_it_does_not_run(project, path, old, new, part, committed):
    project.edit(path, old, new)
    if committed:
        project.commit()
    ran = project.dust("run", "P0-1")
    assert ran.code == 1
    assert f"P0-1 is not as it was approved on main: {part} differs" in ran.err
    assert "--draft" in ran.err


def test_a_new_title_needs_no_approval(project):
    project.edit("specs/v1/baseline.yaml", "title: Fix data and protocol", "title: Fix both")
    assert "the workload set is not here" in project.dust("run", "P0-1").err


def test_a_merged_change_runs(project):
    project.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")
    project.commit()
    project.git("branch", "--force", "main", "work")
    assert "the workload set is not here" in project.dust("run", "P0-1").err


def test_a_clone_that_is_behind_runs_what_was_approved_then(project):
    project.git("checkout", "--quiet", "main")
    project.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")
    project.commit()
    project.git("checkout", "--quiet", "work")
    assert "the workload set is not here" in project.dust("run", "P0-1").err


def test_a_remote_branch_protects_before_a_local_one(project):
    project.git("update-ref", "refs/remotes/origin/main", "main")
    project.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    project.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")
    project.commit()
    project.git("branch", "--force", "main", "work")
    ran = project.dust("run", "P0-1")
    assert "P0-1 is not as it was approved on origin's default branch" in ran.err


def test_a_profile_of_ones_own_is_not_approved(project):
    small = project.root / "specs" / "profiles" / "small.yaml"
    mine = small.with_name("mine.yaml")
    mine.write_text(small.read_text().replace("name: small", "name: mine"))
    ran = project.dust("run", "P0-1", "--profile", "mine")
    assert ran.code == 1
    assert "P0-1 under the profile mine is not on the branch main" in ran.err


def test_figures_that_are_not_quoted_need_no_approval(project):
    project.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")
    assert "the workload set is not here" in project.dust("run", "P0-1", "--profile", "ci").err


def test_a_draft_runs_anything_and_marks_what_it_starts(project):
    project.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")
    assert "the workload set is not here" in project.dust("run", "P0-1", "--draft").err
    assert os.environ["DUST_DRAFT"] == "1"


def test_without_a_protected_branch_only_a_draft_runs(project):
    project.git("branch", "--quiet", "--delete", "--force", "main")
    ran = project.dust("run", "P0-1")
    assert ran.code == 2
    assert "there is no protected branch to compare the specs with" in ran.err
