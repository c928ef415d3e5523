"""`dust audit`: a record that agrees with itself is measured again from its file."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from declared_specs import exp_id, run

from dust_core.cli import main
from dust_core.declared.records import environment_fingerprint, read_result_file
from dust_core.declared.specs import ResolvedTask
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_eval.measure.audit import Auditor
from dust_eval.review.audited import audited_profiles

Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Measured:
    """The miniature with a committed lock of P0-2, and a store."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@t")
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, edit: Edit = lambda content: None, *, checkpoint: bool = True) -> None:
        """Commit the lock of P0-2 with its result edited."""
        folder = self.root / "artifacts" / "ci"
        content = json.loads((folder / "teacher_eval.json").read_text())
        edit(content)
        for result in content["results"]:  # as a careful forger would
            means = {
                name: float(np.mean(v)) for name, v in result["provenance"]["per_pair"].items()
            }
            result["record"].update(means)
        files = {"teacher_eval.json": json.dumps(content).encode()}
        if checkpoint:
            files["teacher_fp32.pth"] = (folder / "teacher_fp32.pth").read_bytes()
        outs = ""
        for name, data in files.items():
            md5 = hashlib.md5(data).hexdigest()
            path = self.root / "store" / "files" / "md5" / md5[:2] / md5[2:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            outs += f"    - path: artifacts/ci/{name}\n      hash: md5\n      md5: {md5}\n"
        lock = self.root / "pipelines" / "ci" / "dvc.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(
            "schema: '2.0'\nstages:\n  P0-2:\n    cmd: dust run P0-2 --profile ci\n    params:\n"
            f"      specs/v1/baseline.yaml:\n        spec.tasks.P0-2.run: {run('P0-2')}\n"
            f"        spec.tasks.P0-2.exp_id: {exp_id('P0-2')}\n    outs:\n{outs}"
        )
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "executed")

    def audit(self, *arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ending:
            main(["audit", "--profile", "ci", *arguments])
        code = ending.value.code
        return (code if isinstance(code, int) else 0), self.capsys.readouterr().out


@pytest.fixture
def measured(
    evaluated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Measured:
    root = tmp_path / "repository"
    shutil.copytree(evaluated, root)
    (root / ".dvc").mkdir()
    config = "[core]\n    remote = store\n['remote \"store\"']\n    url = ../store\n"
    (root / ".dvc" / "config").write_text(config)
    monkeypatch.chdir(root)
    return Measured(root, capsys)


def inflated(content: dict[str, Any]) -> None:
    pairs = content["results"][0]["provenance"]["per_pair"]
    pairs["delta1"] = [min(1.0, 1.19 * value + 0.01) for value in pairs["delta1"]]


def test_an_honest_record_is_reproduced(measured: Measured) -> None:
    measured.commit()
    code, out = measured.audit()
    assert code == 0, out
    assert out.count("| reproduced |") == 2
    assert "With the measured values, all 2 verdicts would be the same." in out
    assert "Latency belongs to its device" in out


def test_an_inflated_record_that_agrees_with_itself_differs(measured: Measured) -> None:
    measured.commit(inflated)
    code, out = measured.audit("P0-2")
    assert code == 1
    assert out.count("| **differs** |") == 1
    assert out.count("| reproduced |") == 1


def test_the_best_pairs_of_all_are_not_the_workload(measured: Measured) -> None:
    def best(content: dict[str, Any]) -> None:
        pairs = content["results"][0]["provenance"]["per_pair"]
        for name, values in pairs.items():
            pairs[name] = sorted(values)[-2:]

    measured.commit(best)
    code, out = measured.audit()
    assert code == 1
    assert "4 pairs were measured, and the record has 2" in out


def test_a_file_that_nobody_stored_is_named(measured: Measured) -> None:
    measured.commit(checkpoint=False)
    code, out = measured.audit()
    assert code == 1
    assert "teacher_fp32.pth cannot be had: no remote has it" in out
    assert "would be the same" not in out
    assert "Of `P0-2` no candidate was measured: whether its verdicts hold is not known." in out


def test_a_file_that_no_remote_has_comes_with_the_command_that_writes_it(
    measured: Measured,
) -> None:
    measured.commit()
    for stored in (measured.root / "store").rglob("*"):
        if stored.is_file() and stored.stat().st_size > 100_000:
            stored.unlink()
    shutil.rmtree(measured.root / ".dvc" / "cache", ignore_errors=True)
    code, out = measured.audit()
    assert code == 1
    assert "no remote has it, and `dust run P0-2 --profile ci` writes it again" in out


def test_a_profile_of_which_nothing_was_executed_has_no_section(measured: Measured) -> None:
    measured.commit()
    assert audited_profiles(measured.root, None) == ["full", "small"]
    shutil.copy(measured.root / "pipelines" / "ci" / "dvc.lock", measured.root / "dvc.lock")
    measured.git("add", "dvc.lock")
    measured.git("commit", "--quiet", "-m", "executed")
    assert audited_profiles(measured.root, None) == ["small"]


def test_another_network_under_the_recorded_name_is_refused(measured: Measured) -> None:
    path = measured.root / "artifacts" / "ci" / "teacher_fp32.pth"
    before = sha256_file(path)
    network = load_checkpoint(path).network
    for weights in network.parameters():
        weights.data *= 1.01
    save_checkpoint(network, path)
    measured.commit()
    code, out = measured.audit()
    assert code == 1
    assert f"the record measured {before[:12]}" in out


def test_only_what_changed_since_the_base_is_measured(measured: Measured) -> None:
    measured.commit()
    (measured.root / "notes.txt").write_text("no result")
    measured.git("add", "--all")
    measured.git("commit", "--quiet", "-m", "notes")
    code, out = measured.audit("--against", "HEAD~1")
    assert code == 0
    assert "No result is to be audited." in out
    measured.commit(inflated)
    assert measured.audit("--against", "HEAD~1")[0] == 1


def test_the_same_machine_and_code_agree_to_the_last_digit(
    task: ResolvedTask, evaluated: Path
) -> None:
    folder = Path("artifacts", "ci")
    result = read_result_file(folder / "teacher_eval.json").results[0]
    recorded = result.model_copy(
        update={"provenance": result.provenance.model_copy(update={"measuring_code": "c" * 64})}
    )
    auditor = Auditor(environment_fingerprint("cpu").device, code="c" * 64)
    audit = auditor.audit(task, recorded, folder)
    assert audit.verdict == "reproduced" and "every digit" in audit.remark
    pairs = {**result.provenance.per_pair}
    pairs["rmse"] = (pairs["rmse"][0] * (1 + 1e-9), *pairs["rmse"][1:])
    nearly = recorded.model_copy(
        update={"provenance": recorded.provenance.model_copy(update={"per_pair": pairs})}
    )
    assert auditor.audit(task, nearly, folder).verdict == "differs"
    elsewhere = Auditor(environment_fingerprint("cpu").device, code="d" * 64)
    assert elsewhere.audit(task, nearly, folder).verdict == "reproduced"
