"""A repository with executed tasks: made-up results in a store, named by the lock."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dust_core.cli import main
from dust_core.declared.change.stages import stages
from dust_core.declared.change.values import value_at
from dust_core.declared.records import Result, ResultFile, mean, result_file_text, write_result_file
from dust_core.declared.records.ledger import LedgerLine, ledger_path, ledger_text
from dust_core.declared.specs import ResolvedTask, load_specs, resolve

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests" / "core" / "declared" / "records")]
import sample_results as sample  # noqa: E402

CONFIG = """[core]
    remote = store
['remote "store"']
    url = ../store
"""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    def rows(self) -> list[list[str]]:
        """The cells of the table of verdicts."""
        lines = [line for line in self.out.splitlines() if line.startswith("| ")]
        return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@dataclass(frozen=True)
class Repository:
    """A clone in which results are committed as DVC and people do it."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "change") -> str:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def store(self, content: bytes) -> str:
        """Put content where `dvc push` would, and say its MD5."""
        md5 = hashlib.md5(content).hexdigest()
        path = self.root / "store" / "files" / "md5" / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return md5

    def lock(self, outputs: Mapping[str, Mapping[str, bytes]], profile: str = "small") -> None:
        """Write the lock of tasks that were executed, by their results, and the ledger of them."""
        specs = load_specs(Path("specs"))
        graph = stages(specs, profile)
        content: dict[str, Any] = {"schema": "2.0", "stages": {}}
        for task, results in outputs.items():
            known = {f"artifacts/{profile}/{name}": data for name, data in results.items()}
            written = {
                path: self.store(known[path]) if path in known else "1" * 32
                for path in graph[task].writes
            }
            before = {
                out["path"]: out["md5"]
                for done in content["stages"].values()
                for out in done["outs"]
            }
            content["stages"][task] = {
                "cmd": graph[task].command,
                "deps": [
                    {"path": name, "md5": before.get(name, "0" * 32)}
                    for name in graph[task].reads
                    if name in before or not name.startswith("artifacts/")
                ],
                "params": {
                    file: {key: value_at(specs.documents[file].data, key) for key in keys}
                    for file, keys in graph[task].keys.items()
                },
                "outs": [{"path": path, "md5": md5} for path, md5 in written.items()],
            }
            self._record(resolve(specs, task, profile), content["stages"][task], known)
        path = self.root / ("dvc.lock" if profile == "small" else f"pipelines/{profile}/dvc.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1))

    def _record(
        self, task: ResolvedTask, stage: Mapping[str, Any], known: Mapping[str, bytes]
    ) -> None:
        """Write the ledger of a task with this one execution."""
        result = f"artifacts/{task.profile_name}/{task.task.result_file(task.id)}"
        line = {
            "profile": task.profile_name,
            "task": task.id,
            "run": task.task.run,
            "exp_id": task.exp_id,
            "spec_digest": task.digest,
            "workload_sha256": task.workload_digest,
            "result": result,
            "result_sha256": hashlib.sha256(known[result]).hexdigest(),
            "inputs": {file["path"]: file["md5"] for file in stage["deps"]},
            "outputs": {file["path"]: file["md5"] for file in stage["outs"]},
            "device": "c" * 64,
            "measuring_code": None,
            "commit": self.git("rev-list", "--max-parents=0", "HEAD"),
            "finished": "2026-11-23T08:15:00Z",
            "verdict": "pass",
        }
        path = self.root / ledger_path(task.profile_name, task.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ledger_text([LedgerLine.model_validate_json(json.dumps(line))]))

    def executed(self, **files: ResultFile) -> None:
        """Write the lock of tasks with these results; `K_1` is K-1."""
        specs = load_specs(Path("specs"))
        self.lock(
            {
                file.task: {
                    specs.tasks[file.task].result_file(file.task): result_file_text(file).encode()
                }
                for file in files.values()
            }
        )

    def made_up(self, task: str, delta1: float = 0.95, teacher: float = 0.95) -> ResultFile:
        """A proven result of P0-2 or K-1: its mean delta1, and the teacher's beside K-1."""
        import whole_profile as whole

        # A folder of its own: results are in the store and never in the clone.
        profile = whole.Profile(self.root.parent / "made")
        profile.commit = self.git("rev-list", "--max-parents=0", "HEAD")

        def measured(network: str, mean: float, **options: str) -> Result:
            result = profile.measured(task, network, **options)
            return with_quality(result, sample.per_pair(delta1=mean))

        if task == "P0-2":
            counts = {"nan_count": 0.0, "missing_fields": 0.0}
            file = sample.result_file(whole._with(measured("teacher", delta1), quantities=counts))
            write_result_file(profile.folder / "teacher_eval.json", file)
            return file
        counts = {"nan_count": 0.0, "validation_loss_rise": 0.0}
        student = whole._with(measured("K-1", delta1, beside="P0-2"), quantities=counts)
        return sample.result_file(student, measured("teacher", teacher, role="baseline"))

    def dust(self, *arguments: str) -> Answer:
        code = 0
        try:
            main(arguments)
        except SystemExit as ending:
            code = int(ending.code or 0)
        said = self.capsys.readouterr()
        return Answer(code, said.out, said.err)


def with_quality(result: Result, pairs: dict[str, Any]) -> Result:
    """The result with other values of its pairs, and their means."""
    means = {name: mean(values) for name, values in pairs.items()}
    record = result.record.model_copy(update=means)
    provenance = result.provenance.model_copy(update={"per_pair": pairs})
    return result.model_copy(update={"record": record, "provenance": provenance})


@pytest.fixture
def repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Repository:
    """P0-2 and K-1 are executed on `main`, and K-1 misses its line; the branch is `work`."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A Reviewer")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "reviewer@example.org")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-11-20T08:15:00Z")  # before it was measured
    root = tmp_path / "clone"
    for name in ("v1", "profiles"):
        shutil.copytree(ROOT / "specs" / name, root / "specs" / name)
    for file in (ROOT / "data").glob("*.dvc"):
        (root / "data").mkdir(exist_ok=True)
        shutil.copy(file, root / "data")
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(CONFIG)
    made = Repository(root, capsys)
    monkeypatch.chdir(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("specs")
    made.executed(P0_2=made.made_up("P0-2"), K_1=made.made_up("K-1", 0.8))
    made.commit("results")
    made.git("checkout", "--quiet", "-b", "work")
    return made
