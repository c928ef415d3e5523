"""A repository in miniature: the project's specs, made-up data, and executors that take no time."""

import json
import os
import shutil
import subprocess
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

EXECUTORS = '''
import hashlib
from pathlib import Path

def execute(task):
    """Write outputs that follow from the task and its inputs."""
    folder = Path("artifacts", task.profile_name)
    read = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in task.task.inputs]
    for name in {*task.task.outputs, task.task.result_file(task.id)}:
        (folder / name).write_text(f'["{name}", "{task.digest}", "{read}"]')
    with Path("executed.txt").open("a") as log:
        log.write(f"{task.id}\\n")

def count_threads(task):
    """Write the number of torch's threads, for a torch that is loaded after the start."""
    import torch
    execute(task)
    Path("threads.txt").write_text(str(torch.get_num_threads()))

def forget(task):
    """Write nothing at all."""

def wait(task):
    """Write the numbers of this process and of its group, and wait for a signal."""
    import os, signal
    Path("waiting.txt").write_text(f"{os.getpid()} {os.getpgrp()}")
    while True:
        signal.pause()

def measured(task):
    """Write outputs, and a result that meets the task's lines, or none that failing.txt names.

    It is that of a clean tree: these tests are about stages, whatever else they change.
    """
    import datetime as dt
    from dataclasses import replace
    from dust_core.declared.project import result_path
    from dust_core.declared.records import (
        Execution, Measurement, ResultFile, build_result, environment_fingerprint, write_result_file
    )
    execute(task)
    failing = Path("failing.txt").read_text().split() if Path("failing.txt").is_file() else []
    values = {
        gate.metric: gate.value + (gate.op != ">=") * (task.id in failing)
        for gate in task.gates.values() if gate.baseline is None
    }
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    clean = replace(environment_fingerprint("cpu"), changed=())
    read, written = (
        {name: hashlib.sha256((result_path(task).parent / name).read_bytes()).hexdigest()
         for name in names if name != result_path(task).name}
        for names in (task.task.inputs, task.task.outputs)
    )
    execution = Execution(
        task=task, environment=clean, runtime=None, inputs=read, started=now
    )
    result = build_result(
        execution, None, Measurement(quantities=values), artifacts=written, finished=now
    )
    file = ResultFile(
        apiVersion="dust/v1", kind="Result", task=task.id, results=(result,), verdicts=(), extra={}
    )
    write_result_file(result_path(task), file)
'''

BEFORE = {f"GIT_{who}_DATE": "2025-12-31T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
"""The repository's commit is older than the results that `measured` writes."""

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with the specs, the data that they name, and a DVC folder."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "specs", root / "specs")
    for split in ("workload", "calibration", "training", "validation"):
        (root / "data" / split).mkdir(parents=True)
        (root / "data" / split / "manifest.json").write_text(json.dumps({"split": split}))
    (root / ".gitignore").write_text("/artifacts/\n")
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "specs"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True, env=os.environ | BEFORE)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    return root


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with dust-core, the verbs of dust-eval and the libraries.

    No package executes a task. The libraries are those of the running environment, linked.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "dust_" not in entry.name and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    for name, groups in (("dust-core", None), ("dust-eval", {"dust.commands"})):
        package = ROOT / "packages" / name
        module = name.replace("-", "_")
        (site / module).symlink_to(package / "src" / module)
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        entries = project["entry-points"]
        wanted = {key: entries[key] for key in entries if groups is None or key in groups}
        write_distribution(site, name, **wanted)
    script = folder / "bin" / "dust"
    script.write_text(f"#!{folder}/bin/python\nfrom dust_core.cli import main\nmain()\n")
    script.chmod(0o755)
    return folder


def write_distribution(site: Path, name: str, **groups: dict[str, str]) -> None:
    """What an installer leaves of a package: its name and its entry points."""
    info = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., None]:
    """Installs executors: `install(distill="execute")`; `execute` writes its outputs at once."""
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "demo_executors.py").write_text(EXECUTORS)

    def write(**executors: str) -> None:
        entries = {
            key.replace("_", "-"): f"demo_executors:{name}" for key, name in executors.items()
        }
        write_distribution(folder, "demo", **{"dust.tasks": entries})

    return write


@pytest.fixture
def start(repository: Path, environment: Path, tmp_path: Path) -> Start:
    """Starts a program of the environment in the repository: `start("dust", "run", "K-1")`."""
    python = environment / "bin" / "python"
    variables = {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path / "installed"),
        "HOME": str(tmp_path),
    }

    def call(program: str, *arguments: str) -> subprocess.Popen[str]:
        module = {"dust": "dust_core"}.get(program, program)
        return subprocess.Popen(
            [python, "-m", module, *arguments],
            cwd=repository,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return call


@pytest.fixture
def run(start: Start) -> Run:
    """Runs a program as `start` does, to its end: `run("dust", "run", "K-1")`."""

    def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = start(program, *arguments)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return call
