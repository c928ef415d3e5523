"""Stages on the workers of dask: side by side, each once, elsewhere when a worker is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from dust_core.declared.reading.yaml_text import parse_yaml
from dust_core.errors import DustError
from dust_eval.cluster.scheduler import connected, is_local
from dust_eval.cluster.source import source_here
from dust_eval.cluster.stages import bring_up_to_date
from dust_eval.cluster.workers import Workers
from dust_eval.gates.dvc_process import run_dvc

STAGE = """
import json, os, sys, time
from pathlib import Path

notes, name, *read = sys.argv[1:]
parts = [Path(f"{file}.txt").read_text() for file in read]
note = {"stage": name, "number": os.getpid(), "starts": time.time()}
with Path(notes, "started.jsonl").open("a") as log:
    log.write(json.dumps(note) + "\\n")
while Path(notes, f"hold-{name}").exists():
    time.sleep(0.05)
if Path(notes, f"fail-{name}").exists():
    sys.exit("this stage fails")
Path(f"{name}.txt").write_text("".join([*parts, name, Path("value.txt").read_text()]))
with Path(notes, "ended.jsonl").open("a") as log:
    log.write(json.dumps(note | {"ends": time.time()}) + "\\n")
"""
READS = {"a": (), "b": ("a",), "c": ("a",), "d": ("a",), "e": ("b", "c", "d")}
SECONDS = 60.0


def git(folder: Path, *words: str) -> None:
    person = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *person, *words], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with five stages: b, c and d read what a wrote, and e reads what they wrote."""
    root, notes = tmp_path / "project", tmp_path / "notes"
    notes.mkdir()
    (root / ".dvc").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (root / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    remote = store\n"
        "['remote \"store\"']\n    url = ../../store\n"
    )
    (root / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    (root / ".gitignore").write_text("".join(f"/{name}.txt\n" for name in READS))
    (root / "stage.py").write_text(STAGE)
    (root / "value.txt").write_text("1")
    lines = ["stages:"]
    for name, read in READS.items():
        files = "".join(f"[{file}.txt]" for file in read)
        lines += [
            f"  {name}:",
            f"    cmd: {sys.executable} stage.py {notes} {name} {' '.join(read)}",
            f"    deps: [value.txt, {', '.join(f'{file}.txt' for file in read)}]",
            f"    outs: [{name}.txt]",
        ]
        del files
    (root / "dvc.yaml").write_text("\n".join(lines) + "\n")
    git(root, "init", "--quiet")
    commit(root)
    monkeypatch.chdir(root)
    return root


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "stages")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    folder = tmp_path_factory.mktemp("workers")
    with LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=None, local_directory=str(folder)
    ) as three:
        yield three


@contextmanager
def joined(client: Client, *, alone: bool = False) -> Iterator[Workers]:
    workers = Workers(
        client=client,
        source=source_here(local=False),
        profile="small",
        device="cpu",
        alone=alone,
        check=lambda stage, worker: None,
    )
    workers.join()
    yield workers
    workers.leave()


def notes(project: Path, what: str) -> list[dict[str, float]]:
    path = project.parent / "notes" / f"{what}.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    path.unlink(missing_ok=True)
    return [json.loads(line) for line in lines]


def started(project: Path) -> list[str]:
    return [str(note["stage"]) for note in notes(project, "started")]


def locked(project: Path) -> dict[str, object]:
    return dict(parse_yaml((project / "dvc.lock").read_bytes(), "dvc.lock").data["stages"])


def test_x(project: Path, cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    t = time.time()
    with Client(cluster) as client, joined(client) as workers:
        print("joined", time.time() - t)
        bring_up_to_date(workers, ["e"])
        print("done", time.time() - t)
    with capsys.disabled():
        print(capsys.readouterr())
        print(notes(project, "ended"))
        subprocess.run(["git", "status"])
        subprocess.run(["dvc", "status"])
        subprocess.run(["dvc", "pull"])
        subprocess.run(["dvc", "status"])
