"""A clone of this project in which somebody writes a pull request: specs, locks and results."""

import hashlib
import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from declared_specs import exp_id, run, specs

from dust_core.declared.records import parse_result_file, result_file_text
from manipulations.stored import ROOT, executed, stored_file

KEPT = (
    "specs", "dvc.yaml", "dvc.lock", "executions", "pipelines", ".github", ".dvc/config",
    "noxfile.py", "requirements.lock", "data/workload.dvc", "packages/dust-core/src",
    "packages/dust-eval/src",
)  # fmt: skip


@dataclass(frozen=True)
class Clone:
    """The clone; its branch `main` is as the project is, and `work` is checked out."""

    root: Path

    def git(self, *arguments: str) -> str:
        """Run git, and return what it prints."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "change") -> None:
        """Commit everything that git does not ignore."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def merge(self) -> None:
        """Commit, and make the change part of main: what follows builds on it."""
        self.commit()
        self.git("branch", "--force", "main", "work")

    def path(self, name: str) -> Path:
        """A file of the clone."""
        return self.root / name

    def edit(self, name: str, old: str, new: str, *, after: str = "") -> None:
        """Replace the first `old` that follows `after`."""
        text = self.path(name).read_text(encoding="utf-8")
        start = text.index(after) + len(after) if after else 0
        assert old in text[start:], f"{old!r} is not in {name}"
        self.path(name).write_text(text[:start] + text[start:].replace(old, new, 1))

    def next_run(self, name: str, task: str) -> None:
        """Write the next run of a task in the file of its stage."""
        now, later = run(task), run(task) + 1
        self.edit(name, f"run: {now}\n", f"run: {later}\n", after=f"    {task}:")
        if specs().task(task).exp_id:
            old = exp_id(task)
            new = f"{old.removesuffix(str(now))}{later}"
            self.edit(name, f"exp_id: {old}\n", f"exp_id: {new}\n", after=f"    {task}:")

    def drop(self, name: str, first: str, last: str) -> None:
        """Remove the text from `first` up to the beginning of `last`."""
        text = self.path(name).read_text(encoding="utf-8")
        start = text.index(first)
        end = text.index(last, start) if last else len(text)
        self.path(name).write_text(text[:start] + text[end:])

    @contextmanager
    def result(self, name: str, profile: str = "small") -> Iterator[dict[str, Any]]:
        """A result file's values, to be changed; what the block leaves in them is written."""
        path = self.path(f"artifacts/{profile}/{name}")
        values = json.loads(path.read_text(encoding="utf-8"))
        yield values
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def consistent(self, name: str) -> None:
        """Spell a changed result as the program does, and let the lock have it."""
        path = self.path(f"artifacts/small/{name}")
        path.write_text(result_file_text(parse_result_file(path.read_bytes(), path)))
        self.relock(name)

    def relock(self, name: str) -> None:
        """Write the digest of a changed file into the lock, as `dvc commit` does."""
        content = self.path(f"artifacts/small/{name}").read_bytes()
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        lines = self.path("dvc.lock").read_text().splitlines(keepends=True)
        for index, line in enumerate(lines):
            if line.strip() == f"- path: artifacts/small/{name}":
                for offset in range(1, 5):
                    if lines[index + offset].strip().startswith("md5:"):
                        lines[index + offset] = f"      md5: {digest}\n"
                    if lines[index + offset].strip().startswith("size:"):
                        lines[index + offset] = f"      size: {len(content)}\n"
        self.path("dvc.lock").write_text("".join(lines))


def scale_quality(result: dict[str, Any], factor: float, metric: str = "delta1") -> None:
    """Multiply a quality metric of a result, pair by pair, and its mean with it."""
    values = [factor * value for value in result["provenance"]["per_pair"][metric]]
    result["provenance"]["per_pair"][metric] = values
    result["record"][metric] = statistics.fmean(values)


def of_role(values: dict[str, Any], role: str, exp_id: str = "") -> dict[str, Any]:
    """The first result of a file that has a role, and an experiment if it is named."""
    return next(
        result
        for result in values["results"]
        if result["provenance"]["role"] == role
        and (not exp_id or result["record"]["exp_id"] == exp_id)
    )


def make_template(root: Path) -> Clone:
    """The clone as it is before a change, with the stored results of every executed task."""
    for name in KEPT:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target)
    for execution in executed().values():
        for name, md5 in execution.outputs.items():
            if name.endswith(".json"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(stored_file(md5), root / name)
    (root / ".gitignore").write_text("/artifacts/\n")
    clone = Clone(root)
    clone.git("init", "--quiet", "--initial-branch", "main")
    _continue_history(clone)
    clone.git("checkout", "--quiet", "-b", "work")
    return clone


def _continue_history(clone: Clone) -> None:
    """Commit the files on top of the project's own history, which results refer to."""
    common, tip = (
        subprocess.run(
            ["git", "rev-parse", *words], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()
        for words in (("--path-format=absolute", "--git-common-dir"), ("HEAD",))
    )
    alternates = clone.path(".git/objects/info/alternates")
    alternates.write_text(f"{common}/objects\n", encoding="utf-8")
    if Path(common, "shallow").exists():
        shutil.copy(Path(common, "shallow"), clone.path(".git/shallow"))
    clone.git("add", "--all")
    tree = clone.git("write-tree")
    commit = clone.git("commit-tree", tree, "-p", tip, "-m", "the project")
    clone.git("update-ref", "refs/heads/main", commit)


def environment(home: Path) -> dict[str, str]:
    """Variables under which git commits the same way everywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    people = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "An Author"), ("EMAIL", "author@example.org"))
    }
    return {**kept, **people, "HOME": str(home), "XDG_STATE_HOME": str(home)}
