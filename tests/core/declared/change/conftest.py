"""A real git repository with the project's specs, edited and committed as people do it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dust_core.cli import main
from dust_core.declared.change.executed import lock_path
from dust_core.declared.change.stages import stages
from dust_core.declared.change.values import value_at
from dust_core.declared.specs import load_specs

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

    def merge(self, message: str = "merged") -> None:
        """Make the working tree the base of the next pull request."""
        self.git("checkout", "--quiet", "-B", "main")
        self.commit(message)
        self.git("checkout", "--quiet", "-B", "work")

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

    def execute(self, *tasks: str, profile: str = "small") -> None:
        """Leave the lock that DVC would write had it executed tasks as the specs have them now."""
        specs = load_specs(Path("specs"))
        graph = stages(specs, profile)
        path = self.root / lock_path(profile)
        yaml = YAML()
        content = yaml.load(path) if path.is_file() else {"schema": "2.0", "stages": {}}
        for task in tasks:
            stage = graph[task]
            content["stages"][task] = {
                "cmd": stage.command,
                "deps": [{"path": name, "hash": "md5", "md5": "0" * 32} for name in stage.reads],
                "params": {
                    file: {key: value_at(specs.documents[file].data, key) for key in keys}
                    for file, keys in stage.keys.items()
                },
                "outs": [{"path": name, "hash": "md5", "md5": "0" * 32} for name in stage.writes],
            }
        yaml.representer.ignore_aliases = lambda _: True  # as DVC writes
        text = io.StringIO()
        yaml.dump(content, text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.getvalue())

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
