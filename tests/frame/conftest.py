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
from typing import Annotated
from typer import Option

def execute(task):
    """Write outputs that follow from the task and its inputs."""
    folder = Path("artifacts", task.profile_name)
    read = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in task.task.inputs]
    for name in {*task.task.outputs, task.task.result_file(task.id)}:
        (folder / name).write_text(f'["{name}", "{task.digest}", "{read}"]')
    with Path("executed.txt").open("a") as log:
        log.write(f"{task.id}\\n")

def forget(task):
    """Write nothing at all."""

def gate(stage: str, profile: str = "small", json_file: Annotated[str, Option("--json")] = ""):
    """Judge by failing.txt, which names the tasks that fail."""
    import json
    failing = Path("failing.txt").read_text().split()
    status = [{"task": one, "status": "fail", "settled": None}
              for one in failing if one.startswith(stage)]
    Path(json_file).parent.mkdir(exist_ok=True)
    Path(json_file).write_text(json.dumps({"tasks": status}))
    raise SystemExit(bool(status))
'''

Run = Callable[..., subprocess.CompletedProcess[str]]


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
        subprocess.run(["git", *command], cwd=root, check=True)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    return root


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with dust-core and the libraries, without the other two packages.

    The libraries are those of the running environment, linked.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "dust_" not in entry.name and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    core = ROOT / "packages" / "dust-core"
    (site / "dust_core").symlink_to(core / "src" / "dust_core")
    project = tomllib.loads((core / "pyproject.toml").read_text())["project"]
    write_distribution(site, "dust-core", **project["entry-points"])
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
        verbs = {"gate": "demo_executors:gate"}
        write_distribution(folder, "demo", **{"dust.tasks": entries, "dust.commands": verbs})

    return write


@pytest.fixture
def run(repository: Path, environment: Path, tmp_path: Path) -> Run:
    """Runs a program of the environment in the repository: `run("dust", "run", "K-1")`."""
    python = environment / "bin" / "python"
    variables = {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path / "installed"),
        "HOME": str(tmp_path),
    }

    def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        module = {"dust": "dust_core"}.get(program, program)
        command = [python, "-m", module, *arguments]
        return subprocess.run(
            command, cwd=repository, env=variables, capture_output=True, text=True
        )

    return call
