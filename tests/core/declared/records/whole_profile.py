"""The results of P0, P1 and P3 under `small`, made up but consistent, in a project with git."""

import datetime as dt
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sample_results as sample

from dust_core.declared.records import BaselineRef, Latency, Result, write_result_file
from dust_core.declared.specs import load_specs, resolve
from dust_core.files import sha256_file

SPECS = load_specs(Path(__file__).parents[4] / "specs")
TASKS = {task: resolve(SPECS, task, "small") for task in SPECS.tasks}
COMMITTED = sample.MOMENT - dt.timedelta(days=3)

ARTIFACTS = {
    "teacher": {"teacher_fp32.pth": "4" * 64},
    "K-1": {"student_fp32_t3b05.pth": "5" * 64},
    "K-2": {"student_fp32_t5b05.pth": "6" * 64},
    "K-3": {"student_fp32_sched.pth": "7" * 64},
    "best": {"student_fp32_best.pth": "5" * 64},
    "KQ-2": {"student_int8.onnx": "8" * 64, "student_int8.trt": "9" * 64},
}
DELTA1 = {"teacher": 0.95, "K-1": 0.948, "K-2": 0.947, "K-3": 0.946, "best": 0.948, "KQ-2": 0.945}
MEDIAN_MS = {"teacher": 80.0, "K-1": 50.0, "K-2": 50.0, "K-3": 50.0, "best": 50.0, "KQ-2": 20.0}
ENGINE_BYTES = 7_000_000

Edit = Callable[[dict[str, Any]], None]


def exp_id(network: str) -> str:
    owner = {"teacher": "P0-2", "best": "K-1"}.get(network, network)
    return str(TASKS[owner].exp_id)


class Profile:
    """A project in a folder; results are written in the order in which tasks run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "artifacts" / "small"
        self.commit = ""

    def write(self) -> None:
        """Commit something, write every result, and the lock."""
        self._commit()
        self._evaluate()
        for task in ("K-1", "K-2", "K-3"):
            self._students(task)
        kept = [self.measured("K-4", "K-1", beside="P0-2")]
        kept[0] = _with(kept[0], artifacts=ARTIFACTS["K-1"] | ARTIFACTS["best"])
        others = [self.measured("K-4", of, "reference", beside="P0-2") for of in ("K-2", "K-3")]
        self.store("K-4", *kept, *others, self.measured("K-4", "teacher", "baseline"))
        chosen = _with(self.measured("KQ-1", "best"), artifacts=ARTIFACTS["best"])
        self.store("KQ-1", chosen.model_copy(update={"record": None}))
        for task in ("KQ-2", "KQ-3"):
            self._quantized(task)
        self.lock()

    def store(self, task: str, *results: Result) -> None:
        path = self.folder / TASKS[task].result_files[task]
        write_result_file(path, sample.result_file(*results))

    def measured(
        self, task: str, network: str, role: str = "candidate", *, beside: str | None = None
    ) -> Result:
        """A result of a network; `beside`: the task whose network is timed in turn with it."""
        eight = network == "KQ-2"
        runtime = sample.OPENVINO.model_copy(update={"precision": "int8+bf16" if eight else "fp32"})
        turned = {None: None, "P0-2": "teacher", "K-4": "best"}[beside]
        latency = Latency(
            candidate_ms=sample.turns(MEDIAN_MS[network]).candidate_ms,
            baseline=beside,
            baseline_ms=sample.turns(MEDIAN_MS[turned]).candidate_ms if turned else None,
        )
        figures = {"size_MB": ENGINE_BYTES / 1e6} if eight else {}
        return sample.result(
            exp_id(network),
            task=task,
            role=role,
            spec_digest=TASKS[task].digest,
            workload_sha256=TASKS[task].workload_digest,
            commit=self.commit,
            inputs={name: self._digest(name) for name in TASKS[task].task.inputs},
            artifacts=ARTIFACTS[network],
            quality=sample.per_pair(delta1=DELTA1[network]),
            latency=latency,
            figures=figures,
            runtime=runtime,
            baselines=self._references(beside),
        )

    def edit(self, task: str, edit: Edit, *, resealed: bool = True) -> None:
        """Change a stored result; `resealed`: the lock then holds the changed file, too."""
        path = self.folder / TASKS[task].result_files[task]
        data = json.loads(path.read_text())
        edit(data)
        path.write_text(json.dumps(data, indent=2))
        if resealed:
            self._follow()
            self.lock()

    def lock(self) -> None:
        """Write dvc.lock, as DVC does after it ran every task."""
        lines = ["schema: '2.0'", "stages:"]
        for task_id, task in TASKS.items():
            path = self.folder / task.result_files[task_id]
            if path.is_file():
                content = path.read_bytes()
                lines += [f"  {task_id}:", f"    cmd: dust run {task_id}", "    outs:"]
                lines += _output(path.name, hashlib.md5(content).hexdigest(), len(content))
                if task_id == "KQ-2":
                    lines += _output("student_int8.onnx", "0" * 32, ENGINE_BYTES)
        (self.root / "dvc.lock").write_text("\n".join(lines) + "\n")

    def _follow(self) -> None:
        """Tasks that read an edited result file read the edited one."""
        for task in TASKS.values():
            path = self.folder / task.result_files[task.id]
            if path.is_file():
                data = json.loads(path.read_text())
                for result in data["results"]:
                    read = result["provenance"]["inputs"]
                    read |= {n: self._digest(n) for n in read if n.endswith(".json")}
                path.write_text(json.dumps(data, indent=2))

    def _evaluate(self) -> None:
        counts = {"nan_count": 0.0, "missing_fields": 0.0}
        self.store("P0-2", _with(self.measured("P0-2", "teacher"), quantities=counts))

    def _students(self, task: str) -> None:
        student = self.measured(task, task, beside="P0-2")
        student = _with(student, quantities={"validation_loss_rise": 0.0})
        self.store(task, student, self.measured(task, "teacher", "baseline"))

    def _quantized(self, task: str) -> None:
        best = self.measured(task, "best", "baseline")
        teacher = self.measured(task, "teacher", "baseline")
        in_bf16 = sample.OPENVINO.model_copy(update={"precision": "bf16"})
        narrow = _with(self.measured(task, "best", "reference", beside="K-4"), runtime=in_bf16)
        self.store(task, self.measured(task, "KQ-2", beside="K-4"), teacher, best, narrow)

    def _references(self, beside: str | None) -> dict[str, BaselineRef]:
        if beside is None:
            return {}
        teacher = BaselineRef(exp_id=exp_id("teacher"), sha256="4" * 64)
        best = BaselineRef(exp_id=exp_id("best"), sha256="5" * 64)
        return {"P0-2": teacher} | ({"K-4": best} if beside == "K-4" else {})

    def _digest(self, name: str) -> str:
        if name.endswith(".json"):
            return sha256_file(self.folder / name)
        return next(files[name] for files in ARTIFACTS.values() if name in files)

    def _commit(self) -> None:
        moment = {key: COMMITTED.isoformat() for key in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE")}
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        for command in (
            ("init", "--quiet"),
            (*identity, "commit", "--quiet", "--allow-empty", "-m", "Specs"),
        ):
            subprocess.run(["git", *command], cwd=self.root, check=True, env=os.environ | moment)
        head = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(head, cwd=self.root, check=True, capture_output=True, text=True)
        self.commit = done.stdout.strip()


def _with(result: Result, **provenance: Any) -> Result:
    changed = result.provenance.model_copy(update=provenance)
    return result.model_copy(update={"provenance": changed})


def _output(name: str, md5: str, size: int) -> list[str]:
    about = [f"- path: artifacts/small/{name}", "  hash: md5", f"  md5: {md5}", f"  size: {size}"]
    return [f"    {line}" for line in about]
