"""The workflow of the review: the pull request does not bring its own judge."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dust_core.declared.protection.workflow import WORKFLOW, read_workflow, workflow_faults

ROOT = Path(__file__).parents[4]
Workflow = dict[str, Any]


@pytest.fixture(scope="module")
def workflow() -> Workflow:
    """The workflow, with the steps of the actions that it uses."""
    return dict(read_workflow(ROOT))


def checkouts(job: Workflow) -> dict[str, Workflow]:
    return {
        step["with"]["path"]: step["with"]
        for step in job["steps"]
        if "actions/checkout" in step.get("uses", "")
    }


def scripts(workflow: Workflow) -> list[tuple[str, str]]:
    """Where each script runs, and its text."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [(step.get("working-directory", ""), step["run"]) for step in steps if "run" in step]


def test_the_workflow_of_today_has_no_fault(workflow: Workflow) -> None:
    assert workflow_faults(workflow) == []


def test_the_file_comes_from_the_base(workflow: Workflow) -> None:
    assert list(workflow["on"]) == ["pull_request_target"]
    assert workflow["on"]["pull_request_target"]["branches"] == ["main"]
    assert "edited" in workflow["on"]["pull_request_target"]["types"]


def test_who_reads_the_pull_request_may_write_nothing(workflow: Workflow) -> None:
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["review"]["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["audit"]["permissions"] == {"contents": "read"}
    writes = {"contents": "read", "pull-requests": "write"}
    assert workflow["jobs"]["comment"]["permissions"] == writes
    assert set(checkouts(workflow["jobs"]["comment"])) == {"base"}
    assert "secrets." not in (ROOT / WORKFLOW).read_text()


@pytest.mark.parametrize("name", ["review", "audit"])
def test_base_and_head_are_apart(workflow: Workflow, name: str) -> None:
    places = checkouts(workflow["jobs"][name])
    assert set(places) == {"base", "head"}
    assert places["base"]["ref"] == "${{ github.sha }}"
    assert places["head"]["ref"] == "${{ github.event.pull_request.head.sha }}"
    assert all(place["persist-credentials"] is False for place in places.values())


def test_everything_is_installed_from_the_base(workflow: Workflow) -> None:
    installing = [(folder, text) for folder, text in scripts(workflow) if "install --quiet" in text]
    assert [folder for folder, _ in installing] == ["base", "base"]
    assert all("requirements.lock" in text and " -e " not in text for _, text in installing)
    (review,) = [text for _, text in scripts(workflow) if "review.sh" in text]
    assert '"$GITHUB_ACTION_PATH/../../review.sh"' in review
    assert workflow["env"]["PYTHONSAFEPATH"] == "1"


def test_a_required_check_is_not_skipped_because_another_failed(workflow: Workflow) -> None:
    assert "!cancelled()" in workflow["jobs"]["audit"]["if"]
    assert "!= 'unchanged'" in workflow["jobs"]["audit"]["if"]


Edit = Callable[[Workflow], None]


def step(workflow: Workflow, number: int) -> Workflow:
    steps: list[Workflow] = workflow["jobs"]["review"]["steps"]
    return steps[number]


def comment_with(workflow: Workflow, **words: str) -> None:
    """Add a step to the job whose token may write."""
    workflow["jobs"]["comment"]["steps"].append({"uses": words["uses"], "with": words})


EDITS: dict[str, Edit] = {
    "only pull_request_target takes the file": lambda w: w.update(on={"pull_request": None}),
    "names no branch": lambda w: w["on"]["pull_request_target"].pop("branches"),
    "lacks edited": lambda w: w["on"]["pull_request_target"].update(types=["opened"]),
    "permissions of the workflow": lambda w: w.update(permissions="write-all"),
    "there is no job audit": lambda w: w["jobs"].pop("audit"),
    "its token may write": lambda w: w["jobs"]["review"].update(permissions={"contents": "write"}),
    "no timeout": lambda w: w["jobs"]["review"].pop("timeout-minutes"),
    "uses a secret": lambda w: step(w, 5).update(env={"KEY": "${{ secrets.STORE }}"}),
    "not pinned": lambda w: step(w, 0).update(uses="actions/checkout@v7"),
    "a cache": lambda w: step(w, 4)["with"].update(cache="pip"),
    "keeps its token": lambda w: step(w, 1)["with"].pop("persist-credentials"),
    "is not in the folder head": lambda w: step(w, 1)["with"].update(path="base"),
    "base is not in the folder base": lambda w: step(w, 0)["with"].pop("path"),
    "quotes the pull request": lambda w: step(w, 7).update(
        run="echo ${{ github.event.pull_request.title }}"
    ),
    "installs outside": lambda w: step(w, 5).update({"working-directory": "head"}),
    "editable": lambda w: step(w, 5).update(run="pip install -e ./packages/dust-core"),
    "may run a file": lambda w: step(w, 7).update(run="./.github/review.sh main"),
    "run a file of the pull request: python": lambda w: step(w, 7).update(
        run="python -m dust_core"
    ),
    "file of the pull request: head/": lambda w: step(w, 5).update(run="head/install.sh"),
    "./head/.github/actions/dust-review is not pinned": lambda w: comment_with(
        w, uses="./head/.github/actions/dust-review"
    ),
    "the base has no action .github/actions/other": lambda w: comment_with(
        w, uses="./base/.github/actions/other"
    ),
    "it checks out the pull request, and its token may write": lambda w: comment_with(
        w, uses="actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1", path="head"
    ),
    ".gitmodules": lambda w: step(w, 1)["with"].update(submodules=True),
}


@pytest.mark.parametrize("fault", EDITS)
def test_an_edit_that_lets_the_pull_request_judge_itself_is_a_fault(
    workflow: Workflow, fault: str
) -> None:
    edited = copy.deepcopy(workflow)
    EDITS[fault](edited)
    assert any(fault in said for said in workflow_faults(edited)), workflow_faults(edited)


def test_an_action_of_the_base_that_installs_elsewhere_is_a_fault(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    action = tmp_path / ".github" / "actions" / "dust-review" / "action.yml"
    text = action.read_text()
    action.write_text(text.replace("${{ github.action_path }}/../../..", "${{ inputs.head }}", 1))
    faults = workflow_faults(read_workflow(tmp_path))
    assert any("installs outside the checkout of the base" in said for said in faults)


def test_a_deleted_workflow_is_a_fault() -> None:
    assert workflow_faults({}) == [f"there is no {WORKFLOW}"]
