"""A real git repository with the project's specs, edited and committed as people do it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from executed_lock import lock_stages

from dust_core.cli import main
from dust_core.declared.change.executed import lock_path
from dust_core.declared.records.ledger import LedgerLine, ledger_path, ledger_text
from dust_core.declared.specs import SpecSet, load_specs, load_yaml, resolve
from dust_core.files import sha256_file

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the first table under a heading, without its header."""
        section = self.out.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@dataclass(frozen=True)
class Project:
    """A clone in which a pull request is being written."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def edit(self, path: str, old: str, new: str, *, after: str = "") -> None:
        """Replace the first `old` that follows `after`."""
        file = self.root / path
        before, mark, rest = file.read_text().partition(after) if after else ("", "", "")
        rest = rest if after else file.read_text()
        assert old in rest, f"{old!r} is not in {path}"
        file.write_text(before + mark + rest.replace(old, new, 1))

    def refusals(self, head: str | None = None) -> list[str]:
        """Why `dust diff` refuses the pull request."""
        answer = self.dust("diff", "main", *([head] if head else []), "--format", "json")
        refusals: list[str] = json.loads(answer.out)["refusals"]
        assert answer.code == (1 if refusals else 0), answer
        return refusals

    def invalid(self) -> list[str]:
        """The rules by which `dust validate` refuses the specs, without those on data."""
        answer = self.dust("validate", "specs", "--ignore", "DATA", "--format", "json")
        findings = json.loads(answer.out)["findings"]
        return sorted({f["rule"] for f in findings if f["severity"] == "error"})

    def execute(
        self, *tasks: str, profile: str = "small", salt: str = "", record: bool = True
    ) -> None:
        """Leave the lock that DVC would write had it executed tasks as the specs have them now.

        Outputs follow from the run and from what was read; another `salt` gives other outputs of
        the same inputs. The ledger gets a line for each task of a quotable profile, unless `record`
        is false.
        """
        specs = load_specs(Path("specs"))
        content = self.lock(profile)
        lock_stages(specs, profile, tasks, content, salt)
        self.write_lock(content, profile)
        for task in tasks if record and specs.profile(profile).quotable else ():
            self.record(task, profile, specs=specs, stage=content["stages"][task])

    def lock(self, profile: str = "small") -> dict[str, Any]:
        """The content of a profile's lock."""
        path = self.root / lock_path(profile)
        empty: dict[str, Any] = {"schema": "2.0", "stages": {}}
        return load_yaml(path).data if path.is_file() else empty

    def write_lock(self, content: dict[str, Any], profile: str = "small") -> None:
        """Write a profile's lock."""
        path = self.root / lock_path(profile)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1))  # JSON is YAML, and quicker to write

    def record(
        self,
        task: str,
        profile: str = "small",
        *,
        specs: SpecSet | None = None,
        stage: dict[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Append the execution that the lock has of a task to the ledger."""
        resolved = resolve(specs or load_specs(Path("specs")), task, profile)
        stage = stage or self.lock(profile)["stages"][task]
        result = Path("artifacts", profile, resolved.task.result_file(task))
        values = {
            "profile": profile,
            "task": task,
            "run": resolved.task.run,
            "exp_id": resolved.task.exp_id,
            "spec_digest": resolved.digest,
            "workload_sha256": resolved.workload_digest,
            "result": result.as_posix(),
            "result_sha256": sha256_file(result) if result.is_file() else "5" * 64,
            "inputs": {file["path"]: file["md5"] for file in stage["deps"]},
            "outputs": {file["path"]: file["md5"] for file in stage["outs"]},
            "device": "c" * 64,
            "measuring_code": None,
            "commit": "6" * 40,
            "finished": f"2026-11-23T08:{14 + resolved.task.run:02}:00Z",
            "verdict": "pass",
        }
        line = LedgerLine.model_validate_json(json.dumps(values | changes))
        path = self.root / ledger_path(profile, task)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(ledger_text([line]))

    def merge(self, message: str = "executed") -> None:
        """Commit to `main`, and go on with a new pull request."""
        self.git("checkout", "--quiet", "-B", "main")
        self.commit(message)
        self.git("checkout", "--quiet", "-B", "work")

    def next_run(self, task: str, file: str = "specs/v1/distill.yaml", run: int = 2) -> None:
        """Write the next run of a task."""
        after = f"    {task}:\n"
        self.edit(file, f"run: {run - 1}", f"run: {run}", after=after)
        rest = (self.root / file).read_text().partition(after)[2]
        if f"_run{run - 1}\n" in rest.partition("exp_id: ")[2].partition("      ")[0]:
            self.edit(file, f"_run{run - 1}", f"_run{run}", after=after)

    def dust(self, *arguments: str) -> Answer:
        code = 0
        try:
            main(arguments)
        except SystemExit as ending:
            code = int(ending.code or 0)
        said = self.capsys.readouterr()
        return Answer(code, said.out, said.err)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """A repository on branch `work`, at the commit of `main`, with nothing executed."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A Reviewer")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "reviewer@example.org")
    root = tmp_path / "clone"
    for name in ("v1", "profiles"):
        shutil.copytree(ROOT / "specs" / name, root / "specs" / name)
    (root / ".github").mkdir()
    shutil.copy(ROOT / ".github" / "CODEOWNERS", root / ".github")
    for file in (root / "specs" / "v1").glob("*.yaml"):  # every experiment's first run
        first = re.sub(r"\brun: \d+$", "run: 1", file.read_text(), flags=re.MULTILINE)
        file.write_text(re.sub(r"_run\d+$", "_run1", first, flags=re.MULTILINE))
    made = Project(root, capsys)
    monkeypatch.chdir(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("specs")
    made.git("checkout", "--quiet", "-b", "work")
    yield made
