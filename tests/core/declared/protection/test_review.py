"""`dust doctor --review`: what protects the review, as far as a clone and GitHub show it."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dust_core.cli import main
from dust_core.declared.change.deciding import decides
from dust_core.declared.reading.codeowners import parse_owners

ROOT = Path(__file__).parents[4]
Doctor = Callable[[], tuple[int, dict[str, tuple[str, str]]]]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the project's .github, and a file of each kind that decides."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "clone"
    shutil.copytree(ROOT / ".github", root / ".github")
    for name in ("specs/v1/gates.yaml", "packages/dust-eval/src/a.py", "data/workload.dvc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    for command in (("init", "--quiet"), ("add", "--all")):
        subprocess.run(["git", *command], cwd=root, check=True)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return root


@pytest.fixture
def doctor(clone: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs `dust doctor --review`: its exit code, and state and detail by check."""

    def run() -> tuple[int, dict[str, tuple[str, str]]]:
        code = 0
        try:
            main(["doctor", "--review"])
        except SystemExit as ending:
            code = int(ending.code or 0)
        header, *lines = capsys.readouterr().out.splitlines()
        state, detail = header.index("state"), header.index("detail")
        rows = {
            line[:state].strip(): (line[state:detail].strip(), line[detail:].strip())
            for line in lines
        }
        return code, rows

    return run


def github(clone: Path, answers: dict[str, Any]) -> None:
    """A `gh` on the path that answers `gh api PATH`, and a remote on GitHub."""
    remote = ("remote", "add", "origin", "https://github.com/org/dust.git")
    subprocess.run(["git", *remote], cwd=clone, check=True)
    folder = clone.parent / "bin"
    folder.mkdir()
    cases = "".join(
        f"  {path}) echo '{json.dumps(answer)}' ;;\n" for path, answer in answers.items()
    )
    (folder / "gh").write_text(f'#!/bin/sh\ncase "$2" in\n{cases}  *) exit 1 ;;\nesac\n')
    (folder / "gh").chmod(0o755)


def rules(**pull_request: Any) -> list[dict[str, Any]]:
    asked = {
        "required_approving_review_count": 1,
        "require_code_owner_review": True,
        "dismiss_stale_reviews_on_push": True,
        "require_last_push_approval": True,
        "allowed_merge_methods": ["merge"],
    }
    checks = {
        "strict_required_status_checks_policy": True,
        "required_status_checks": [{"context": "review"}, {"context": "audit"}],
    }
    return [
        {"type": "pull_request", "ruleset_id": 7, "parameters": asked | pull_request},
        {"type": "required_status_checks", "ruleset_id": 7, "parameters": checks},
        {"type": "non_fast_forward", "ruleset_id": 7},
        {"type": "deletion", "ruleset_id": 7},
    ]


def protected(**answers: Any) -> dict[str, Any]:
    merges = {"allow_squash_merge": False, "allow_rebase_merge": False}
    return {
        "repos/org/dust": merges,
        "repos/org/dust/rules/branches/main": rules(),
        "repos/org/dust/rulesets/7": {"bypass_actors": []},
    } | answers


def test_what_a_clone_shows_is_well_and_the_rest_is_unknown(doctor: Doctor) -> None:
    code, rows = doctor()
    assert code == 0
    assert rows["every file that decides has an owner"] == ("ok", "")
    assert rows["the protected branch is known"] == ("ok", "main")
    assert rows["no force push and no deletion"][0] == "unknown"


def test_a_deciding_file_without_an_owner_is_named(clone: Path, doctor: Doctor) -> None:
    with (clone / ".github" / "CODEOWNERS").open("a") as stream:
        stream.write("/packages/dust-eval/\n")
    code, rows = doctor()
    assert code == 1
    assert rows["every file that decides has an owner"] == (
        "missing",
        "packages/dust-eval/src/a.py",
    )


def test_a_folder_that_is_not_there_yet_needs_an_owner_too(clone: Path, doctor: Doctor) -> None:
    file = clone / ".github" / "CODEOWNERS"
    file.write_text(file.read_text().replace("/executions/", "# "))
    code, rows = doctor()
    assert code == 1
    assert rows["a new file that decides has an owner"] == ("missing", "/executions/")


def test_no_codeowners_at_all_is_missing(clone: Path, doctor: Doctor) -> None:
    (clone / ".github" / "CODEOWNERS").unlink()
    code, rows = doctor()
    assert code == 1
    assert rows["CODEOWNERS is there"][0] == "missing"


def test_a_workflow_of_the_pull_request_is_missing_its_judge(clone: Path, doctor: Doctor) -> None:
    file = clone / ".github" / "workflows" / "review.yml"
    file.write_text(file.read_text().replace("\n  pull_request_target:", "\n  pull_request:"))
    code, rows = doctor()
    assert code == 1
    assert rows[".github/workflows/review.yml judges with the base"][0] == "missing"


def test_a_branch_that_github_protects_is_ok(clone: Path, doctor: Doctor) -> None:
    github(clone, protected())
    code, rows = doctor()
    assert code == 0
    assert {state for state, _ in rows.values()} == {"ok"}


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        ({"repos/org/dust/rules/branches/main": []}, "no ruleset requires a pull request"),
        (
            {"repos/org/dust/rules/branches/main": rules(require_code_owner_review=False)},
            "it does not require the approval of a code owner",
        ),
        (
            {"repos/org/dust/rules/branches/main": rules(dismiss_stale_reviews_on_push=False)},
            "it does not require that a push dismisses approvals",
        ),
        ({"repos/org/dust/rules/branches/main": rules()[::2]}, "the check review is not required"),
        ({"repos/org/dust/rules/branches/main": rules()[:2]}, "force pushes are allowed"),
        (
            {"repos/org/dust/rules/branches/main": rules(allowed_merge_methods=["squash"])},
            "squash is allowed",
        ),
        (
            {"repos/org/dust/rulesets/7": {"bypass_actors": [{"actor_type": "RepositoryRole"}]}},
            "RepositoryRole may",
        ),
    ],
)
def test_a_protection_that_is_missing_is_named(
    clone: Path, doctor: Doctor, answers: dict[str, Any], detail: str
) -> None:
    github(clone, protected(**answers))
    code, rows = doctor()
    assert code == 1
    assert any(state == "missing" and said.startswith(detail) for state, said in rows.values()), (
        rows
    )


def test_the_projects_own_files_have_owners() -> None:
    owners = parse_owners((ROOT / ".github" / "CODEOWNERS").read_text())
    tracked = [".dvc/config", "store/files/md5/aa/bb", "noxfile.py", ".ci/run", "dvc.lock"]
    tracked += ["pipelines/full/dvc.yaml", "tools/levels/a.py", "tests/review/a.py"]
    for path in tracked:
        assert decides(path) and owners.of(path), path
    assert not decides("README.md") and not decides("docs/review.md")
