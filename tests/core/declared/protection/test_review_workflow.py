"""The workflow of the review: the pull request does not bring its own judge."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dust_core.declared.protection.workflow import WORKFLOW, workflow_faults

ROOT = Path(__file__).parents[4]
Workflow = dict[str, Any]


@pytest.fixture(scope="module")
def workflow() -> Workflow:
    content: Workflow = YAML(typ="safe", pure=True).load((ROOT / WORKFLOW).read_text())
    return content


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
    assert workflow["jobs"]["comment"]["permissions"] == {"pull-requests": "write"}
    assert checkouts(workflow["jobs"]["comment"]) == {}
    assert "secrets." not in (ROOT / WORKFLOW).read_text()


@pytest.mark.parametrize("name", ["review", "audit"])
def test_base_and_head_are_apart(workflow: Workflow, name: str) -> None:
    places = checkouts(workflow["jobs"][name])
    assert set(places) == {"base", "head"}
    assert places["base"]["ref"] == "${{ github.sha }}"
    assert places["head"]["ref"] == "${{ github.event.pull_request.head.sha }}"
    assert all(place["persist-credentials"] is False for place in places.values())


def test_everything_is_installed_from_the_base(workflow: Workflow) -> None:
    installing = [(folder, text) for folder, text in scripts(workflow) if "pip install" in text]
    assert [folder for folder, _ in installing] == ["base", "base"]
    assert all("requirements.lock" in text and " -e " not in text for _, text in installing)
    (review,) = [text for _, text in scripts(workflow) if "review.sh" in text]
    assert '"$GITHUB_WORKSPACE/base/.github/review.sh"' in review
    assert workflow["env"]["PYTHONSAFEPATH"] == "1"


def test_a_required_check_is_not_skipped_because_another_failed(workflow: Workflow) -> None:
    assert "!cancelled()" in workflow["jobs"]["audit"]["if"]
    assert "!= 'unchanged'" in workflow["jobs"]["audit"]["if"]


Edit = Callable[[Workflow], None]


def step(workflow: Workflow, number: int) -> Workflow:
    steps: list[Workflow] = workflow["jobs"]["review"]["steps"]
    return steps[number]


EDITS: dict[str, Edit] = {
    "only pull_request_target takes the file": lambda w: w.update(on={"pull_request": None}),
    "names no branch": lambda w: w["on"]["pull_request_target"].pop("branches"),
    "lacks edited": lambda w: w["on"]["pull_request_target"].update(types=["opened"]),
    "permissions of the workflow": lambda w: w.update(permissions="write-all"),
    "there is no job audit": lambda w: w["jobs"].pop("audit"),
    "its token may write": lambda w: w["jobs"]["review"].update(permissions={"contents": "write"}),
    "no timeout": lambda w: w["jobs"]["review"].pop("timeout-minutes"),
    "uses a secret": lambda w: step(w, 4).update(env={"KEY": "${{ secrets.STORE }}"}),
    "not pinned": lambda w: step(w, 0).update(uses="actions/checkout@v7"),
    "a cache": lambda w: step(w, 2)["with"].update(cache="pip"),
    "keeps its token": lambda w: step(w, 1)["with"].pop("persist-credentials"),
    "is not in the folder head": lambda w: step(w, 1)["with"].update(path="base"),
    "base is not in the folder base": lambda w: step(w, 0)["with"].pop("path"),
    "quotes the pull request": lambda w: step(w, 5).update(
        run="echo ${{ github.event.pull_request.title }}"
    ),
    "installs outside": lambda w: step(w, 3).update({"working-directory": "head"}),
    "editable": lambda w: step(w, 3).update(run="pip install -e ./packages/dust-core"),
    "may run a file": lambda w: step(w, 6).update(run="./.github/review.sh main"),
    "run a file of the pull request: python": lambda w: step(w, 6).update(
        run="python -m dust_core"
    ),
    "file of the pull request: head/": lambda w: step(w, 3).update(run="head/install.sh"),
    ".gitmodules": lambda w: step(w, 1)["with"].update(submodules=True),
}


@pytest.mark.parametrize("fault", EDITS)
def test_an_edit_that_lets_the_pull_request_judge_itself_is_a_fault(
    workflow: Workflow, fault: str
) -> None:
    edited = copy.deepcopy(workflow)
    EDITS[fault](edited)
    assert any(fault in said for said in workflow_faults(edited)), workflow_faults(edited)


def test_a_deleted_workflow_is_a_fault() -> None:
    assert workflow_faults({}) == [f"there is no {WORKFLOW}"]
