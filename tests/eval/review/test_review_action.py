"""The actions of .github/actions: their scripts run in bash, in the order of the file."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
ACTIONS = ROOT / ".github" / "actions"

# As `gh api` does: lists comments through --jq, writes one, and keeps them in a file.
GH = """\
import json, pathlib, subprocess, sys
words, file = sys.argv[2:], pathlib.Path({file!r})
comments = json.loads(file.read_text())
method = words[words.index("--method") + 1] if "--method" in words else "GET"
path = next(word for word in words if word.startswith("repos/"))
body = next((pathlib.Path(w[6:]).read_text() for w in words if w.startswith("body=@")), "")
if method == "GET":
    query = words[words.index("--jq") + 1]
    sys.exit(subprocess.run(["jq", query], input=file.read_text(), text=True).returncode)
if method == "POST":
    assert path == "repos/org/dust/issues/7/comments", path
    login = "github-actions[bot]"
    comments.append({{"id": 100 + len(comments), "user": {{"login": login}}, "body": body}})
else:
    (comment,) = [c for c in comments if str(c["id"]) == path.rpartition("/")[2]]
    comment["body"] = body
file.write_text(json.dumps(comments))
"""

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")


@dataclass
class Runner:
    """What GitHub's runner does with an action, as far as these actions need it.

    Attributes:
        folder: where it keeps its files.
        contexts: the values of expressions such as `github.event_name`.
        summary: the summary of the job.
        printed: what the steps printed.
        failed: the names of the steps that failed.
    """

    folder: Path
    contexts: dict[str, str]
    summary: str = ""
    printed: str = ""
    failed: list[str] = field(default_factory=list)

    def run(self, name: str, workspace: Path, **inputs: str) -> dict[str, str]:
        """Run an action's scripts but for the installation; its outputs."""
        action = YAML(typ="safe", pure=True).load((ACTIONS / name / "action.yml").read_text())
        values = dict(self.contexts)
        for key, spec in action["inputs"].items():
            values[f"inputs.{key}"] = inputs.get(key, self._filled(spec.get("default", ""), values))
        for step in action["runs"]["steps"]:
            if self.failed or "run" not in step or "pip" in step["run"]:
                continue
            if self._holds(step.get("if", ""), values):
                outputs = self._script(step, ACTIONS / name, workspace, values)
                values |= {f"steps.{step.get('id')}.outputs.{k}": v for k, v in outputs.items()}
        return {
            key: self._filled(spec["value"], values)
            for key, spec in action.get("outputs", {}).items()
        }

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: values.get(found[1], ""), text)

    def _holds(self, condition: str, values: Mapping[str, str]) -> bool:
        parts = [part.split(" == ") for part in condition.split(" && ") if part]
        return all(values[name] == text.strip("'") for name, text in parts)

    def _script(
        self, step: Mapping[str, Any], action: Path, workspace: Path, values: Mapping[str, str]
    ) -> dict[str, str]:
        outputs, summary = self.folder / "outputs", self.folder / "summary"
        outputs.write_text("")
        summary.write_text(self.summary)
        given = {key: self._filled(text, values) for key, text in step.get("env", {}).items()}
        github = {"RUNNER_TEMP": self.folder, "GITHUB_ACTION_PATH": action}
        github |= {"GITHUB_OUTPUT": outputs, "GITHUB_STEP_SUMMARY": summary}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace / self._filled(step.get("working-directory", "."), values),
            env={**os.environ, **github, **given, "PATH": path},
            capture_output=True,
            text=True,
        )
        self.printed += done.stdout + done.stderr
        self.summary = summary.read_text()
        if done.returncode:
            self.failed.append(step["name"])
        several = r"^(\w+)<<(end-\w+)\n(.*?)\n\2$|^(\w+)=(.*)$"
        found = re.findall(several, outputs.read_text(), re.MULTILINE | re.DOTALL)
        return {long or short: text or line for long, _, text, short, line in found}

    @property
    def comments(self) -> list[str]:
        """The comments on the pull request."""
        content = json.loads((self.folder / "comments.json").read_text())
        return [comment["body"] for comment in content]


@pytest.fixture
def runner(repository: Any, tmp_path: Path) -> Runner:
    """A runner with `dust` installed, and a pull request of the repository with one comment."""
    for command in (("pipeline",), ("spec", "schema"), ("spec", "docs")):
        assert repository.dust(*command).code == 0
    repository.commit("what is generated")
    repository.git("branch", "--force", "main")
    folder = tmp_path / "runner"
    programs = {
        folder / "dust" / "bin" / "dust": "import sys\nfrom dust_core.__main__ import main\nmain()",
        folder / "bin" / "gh": GH.format(file=str(folder / "comments.json")),
    }
    for place, text in programs.items():
        place.parent.mkdir(parents=True)
        place.write_text(f"#!{sys.executable}\n{text}\n")
        place.chmod(0o755)
    forged = {
        "id": 1,
        "user": {"login": "somebody"},
        "body": "<!-- dust review -->\n## May be merged",
    }
    (folder / "comments.json").write_text(json.dumps([forged]))
    contexts = {
        "github.event_name": "pull_request",
        "github.repository": "org/dust",
        "github.token": "none",
        "github.event.pull_request.number": "7",
        "github.event.pull_request.base.sha": "main",
        "github.event.pull_request.head.repo.full_name": "org/dust",
    }
    return Runner(folder, contexts)


@pytest.fixture
def loosen(repository: Any) -> Callable[[], None]:
    """Commits a change that loosens a line."""

    def change() -> None:
        gates = repository.root / "specs" / "v1" / "gates.yaml"
        before, mark, after = gates.read_text().partition("quality_kept:")
        gates.write_text(before + mark + after.replace("value: 1.0", "value: 20.0", 1))
        repository.commit("loosen")

    return change


@needs_jq
def test_a_pull_request_has_one_comment_that_is_updated(
    repository: Any, runner: Runner, loosen: Callable[[], None]
) -> None:
    report = runner.run("dust-review", repository.root)["report"]
    assert report.startswith("<!-- dust review -->\n## May be merged")
    assert runner.failed == []
    assert runner.summary == f"{report}\n"
    forged, comment = runner.comments
    assert comment == f"{report}\n"

    loosen()
    report = runner.run("dust-review", repository.root)["report"]
    assert runner.failed == ["Say whether it may be merged"]
    again, comment = runner.comments
    assert again == forged
    assert comment == f"{report}\n"
    assert comment.startswith("<!-- dust review -->\n## Not to be merged as it is: ")


def test_a_fork_has_the_review_in_the_summary(
    repository: Any, runner: Runner, loosen: Callable[[], None]
) -> None:
    runner.contexts["github.event.pull_request.head.repo.full_name"] = "stranger/dust"
    loosen()
    runner.run("dust-review", repository.root)
    assert "## Not to be merged as it is" in runner.summary
    assert "::notice::The pull request is from a fork" in runner.printed
    assert len(runner.comments) == 1
    assert runner.failed == ["Say whether it may be merged"]


def test_who_reads_a_stranger_s_files_may_not_write(repository: Any, runner: Runner) -> None:
    runner.contexts["github.event_name"] = "pull_request_target"
    runner.run("dust-review", repository.root)
    assert runner.failed == ["Check where the comment is posted"]
    assert "post the output report from a job of its own with dust-comment" in " ".join(
        runner.printed.split()
    )


@needs_jq
def test_two_jobs_review_and_comment_for_forks(repository: Any, runner: Runner) -> None:
    runner.contexts["github.event_name"] = "pull_request_target"
    runner.contexts["github.event.pull_request.head.repo.full_name"] = "stranger/dust"
    report = runner.run("dust-review", repository.root, comment="false")["report"]
    assert len(runner.comments) == 1
    runner.run("dust-comment", runner.folder, report=f"{report}\n\n$(touch ran)`touch ran`")
    assert runner.failed == []
    assert runner.comments[1] == f"{report}\n\n$(touch ran)`touch ran`\n"
    assert not (runner.folder / "ran").exists()


def test_a_finding_is_shown_beside_its_line(repository: Any, runner: Runner) -> None:
    spec = repository.root / "specs" / "v1" / "distill.yaml"
    spec.write_text(spec.read_text().replace("needs: [P0-2]", "needs: [P0-9]", 1))
    repository.commit("a wrong name")
    runner.run("dust-review", repository.root, comment="false")
    assert re.search(r"::error file=specs/v1/distill\.yaml,line=\d+,col=\d+", runner.printed)
    assert "## Not to be merged as it is" in runner.summary
    assert runner.failed == ["Say whether it may be merged"]


def test_a_base_that_is_not_there_is_no_review(repository: Any, runner: Runner) -> None:
    runner.run("dust-review", repository.root, base="nowhere", comment="false")
    assert "## Not reviewed" in runner.summary
    assert runner.failed == ["Say whether it may be merged"]


def test_the_installation_names_what_is_there() -> None:
    action = YAML(typ="safe", pure=True).load((ACTIONS / "dust-review" / "action.yml").read_text())
    (step,) = [step for step in action["runs"]["steps"] if "pip" in step.get("run", "")]
    place = step["working-directory"].replace(
        "${{ github.action_path }}", str(ACTIONS / "dust-review")
    )
    for name in re.findall(r"\./\S+|\w+\.lock", step["run"]):
        assert (Path(place) / name).exists(), name
