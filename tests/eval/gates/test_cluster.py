"""Stages on the workers of dask: side by side, each once, elsewhere when a worker is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, LocalCluster

from dust_core.declared.reading.yaml_text import parse_yaml
from dust_core.errors import DustError
from dust_core.scheduler import connected
from dust_eval.cluster.order import Member
from dust_eval.cluster.source import source_here
from dust_eval.cluster.stages import bring_up_to_date
from dust_eval.cluster.worker import unlike
from dust_eval.cluster.workers import Workers

STAGE = """
import json, os, sys, time
from pathlib import Path
from dust_core.stopping import stop_signals

notes, name, *read = sys.argv[1:]
parts = [Path(f"{file}.txt").read_text() for file in read]
assert all(Path(f"{file}-log.txt").is_file() for file in read)  # which DVC is not told of
note = {"stage": name, "number": os.getpid(), "starts": time.time()}
with stop_signals() as stop:  # as in `dust run`, which ends with the process that started it
    stop.unblock()
    with Path(notes, "started.jsonl").open("a") as log:
        log.write(json.dumps(note) + "\\n")
    while Path(notes, f"hold-{name}").exists():
        time.sleep(0.05)
    while Path(notes, "meet").exists() and time.time() < note["starts"] + 5:
        if len(Path(notes, "started.jsonl").read_text().splitlines()) > 1:
            break
        time.sleep(0.05)
if Path(notes, f"fail-{name}").exists():
    sys.exit("this stage fails")
threads = os.environ.get("OMP_NUM_THREADS", "no")
Path(f"{name}-log.txt").write_text(name)
Path(f"{name}.txt").write_text(f"{''.join(parts)}{name}, {threads} limit\\n")
with Path(notes, "ended.jsonl").open("a") as log:
    log.write(json.dumps(note | {"ends": time.time()}) + "\\n")
"""
READS = {"a": (), "b": (), "c": ("a", "b")}
SECONDS = 60.0


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where stages write that they started and ended; `hold-a` holds a, and `fail-a` fails it."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with three stages: c reads what a and b wrote."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (root / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    remote = store\n"
        "['remote \"store\"']\n    url = ../../store\n"
    )
    (root / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    (root / ".gitignore").write_text("/[abc].txt\n/[abc]-log.txt\n")
    (root / "stage.py").write_text(STAGE)
    stages = {
        name: {
            "cmd": f"{sys.executable} stage.py {notes} {' '.join((name, *read))}",
            "deps": ["stage.py", *(f"{file}.txt" for file in read)],
            "outs": [f"{name}.txt", f"{name}-log.txt"],
        }
        for name, read in READS.items()
    }
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    git(root, "init", "--quiet")
    commit(root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return root


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Three workers that other people started."""
    settings = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    folder = str(tmp_path_factory.mktemp("workers"))
    cluster = LocalCluster(n_workers=3, local_directory=folder, **settings)
    with cluster, Client(cluster) as connection:
        yield connection


def git(folder: Path, *words: str) -> None:
    person = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *person, *words], cwd=folder, check=True)


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "stages")


@contextmanager
def joined(client: Client, *, alone: bool = False, local: bool = False) -> Iterator[Workers]:
    workers = Workers(
        client=client,
        source=source_here(local=local),
        profile="small",
        device="cpu",
        alone=alone,
        check=lambda stage, worker: None,
    )
    workers.join()
    yield workers
    workers.leave()


def noted(notes: Path, what: str) -> list[dict[str, Any]]:
    path = notes / f"{what}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def names(notes: Path, what: str = "started") -> list[str]:
    return sorted(note["stage"] for note in noted(notes, what))


def locked() -> dict[str, Any]:
    return dict(parse_yaml(Path("dvc.lock").read_bytes(), "dvc.lock").data["stages"])


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def meanwhile(work: Callable[[], None], act: Callable[[], None], notes: Path) -> None:
    """Do `work` while another thread acts, which raises what it raises when both are done."""
    with ThreadPoolExecutor() as pool:
        acting = pool.submit(act)
        acting.add_done_callback(lambda _: [path.unlink() for path in notes.glob("hold-*")])
        work()
        acting.result()


def test_stages_run_side_by_side_and_each_once_and_dvc_has_the_results(
    client: Client, project: Path, notes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (notes / f"hold-{name}").touch()
    with joined(client) as workers:

        def both_run() -> None:
            wait_for(lambda: names(notes) == ["a", "b"])

        meanwhile(lambda: bring_up_to_date(workers, ["c"]), both_run, notes)
        assert names(notes) == ["a", "b", "c"]
        lines = capfd.readouterr().out.splitlines()
        assert len(lines) == 6
        assert lines[4].startswith("c starts on worker ") and lines[5].startswith(
            "c done on worker"
        )
        bring_up_to_date(workers, ["c"])
        assert capfd.readouterr().out == ""

        # As in a clone of the commit before.
        lock = locked()
        Path("dvc.lock").unlink()
        bring_up_to_date(workers, ["c"])
        assert capfd.readouterr().out.count("taken from the run cache on worker") == 3
    assert locked() == lock
    assert names(notes) == ["a", "b", "c"]
    assert not Path("c.txt").exists()
    shutil.rmtree(".dvc/cache", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "dvc", "pull", "--quiet"], check=True)
    # Without the limit on threads that dask gives its workers.
    assert Path("c.txt").read_text() == "a, no limit\nb, no limit\nc, no limit\n"
    status = [sys.executable, "-m", "dvc", "status", "--json"]
    assert json.loads(subprocess.run(status, capture_output=True, check=True).stdout) == {}


def test_a_changed_stage_runs_again_with_those_that_read_it_and_no_others(
    client: Client, project: Path, notes: Path
) -> None:
    with joined(client) as workers:
        bring_up_to_date(workers, ["c"])
    subprocess.run([sys.executable, "-m", "dvc", "pull", "--quiet"], check=True)
    (notes / "started.jsonl").unlink()
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace(f"{notes} b", f"{notes}/. b"))
    commit(project)
    with joined(client) as workers:
        bring_up_to_date(workers, ["c"])
        # Its output is the same, so what reads it is not stale.
        assert names(notes) == ["b"]
        Path("a.txt").write_text("what somebody edited here\n")
        bring_up_to_date(workers, ["a"], force=True)
    assert names(notes) == ["a", "b"]
    assert not Path("a.txt").exists()


def test_a_stage_of_a_killed_worker_runs_elsewhere(
    client: Client, project: Path, notes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (notes / "hold-a").touch()

    def kill() -> None:
        wait_for(lambda: "a" in names(notes) and "b" in names(notes, "ended"))
        stage = next(note["number"] for note in noted(notes, "started") if note["stage"] == "a")
        above = {process.pid for process in psutil.Process(stage).parents()}
        (worker,) = above & set(client.run(os.getpid).values())
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(stage))
        wait_for(lambda: names(notes).count("a") == 2)

    with joined(client) as workers:
        meanwhile(lambda: bring_up_to_date(workers, ["c"]), kill, notes)
    assert names(notes) == ["a", "a", "b", "c"]
    assert names(notes, "ended") == ["a", "b", "c"]
    assert set(locked()) == {"a", "b", "c"}
    assert " is gone" in capfd.readouterr().out


def test_a_stage_that_ends_its_workers_fails(
    client: Client, project: Path, notes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (notes / "hold-a").touch()
    client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 1))

    def kill_twice() -> None:
        for time_ in (1, 2):
            wait_for(lambda time_=time_: names(notes).count("a") == time_)
            stage = [note["number"] for note in noted(notes, "started") if note["stage"] == "a"][-1]
            above = {process.pid for process in psutil.Process(stage).parents()}
            (worker,) = above & set(client.run(os.getpid).values())
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda stage=stage: not psutil.pid_exists(stage))

    with joined(client) as workers, pytest.raises(DustError, match="'dvc repro a' failed"):
        meanwhile(lambda: bring_up_to_date(workers, ["c"]), kill_twice, notes)
    assert "a failed: each of 2 workers ended while it ran" in capfd.readouterr().err
    assert set(locked()) == {"b"}


def test_a_failing_stage_ends_what_builds_on_it_and_no_other(
    client: Client, project: Path, notes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (notes / "fail-a").touch()
    (notes / "hold-b").touch()
    with joined(client) as workers:

        def a_failed() -> None:
            wait_for(lambda: "a" in names(notes))

        with pytest.raises(DustError) as failure:
            meanwhile(lambda: bring_up_to_date(workers, ["c"]), a_failed, notes)
        assert str(failure.value).startswith("'dvc repro a' failed; the messages above say where")
        assert failure.value.exit_code == 2
        said = capfd.readouterr().err
        assert "this stage fails" in said and "a failed: on worker" in said
        assert "not run, since they build on it: c" in said
        assert set(locked()) == {"b"}
        (notes / "fail-a").unlink()
        bring_up_to_date(workers, ["c"])
    assert names(notes) == ["a", "a", "b", "c"]


def test_stages_that_need_their_device_alone_run_one_by_one(
    client: Client, project: Path, notes: Path
) -> None:
    (notes / "meet").touch()  # a and b wait for each other for a while
    with joined(client, alone=True) as workers:
        bring_up_to_date(workers, ["c"])
    first, second, _ = sorted(noted(notes, "ended"), key=lambda note: note["starts"])
    assert first["ends"] <= second["starts"]


def test_what_workers_cannot_get_is_refused_before_anything_starts(
    client: Client, project: Path, notes: Path, tmp_path: Path
) -> None:
    git(project, "clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    git(project, "remote", "add", "origin", str(tmp_path / "origin.git"))
    Path("new.txt").write_text("")
    with pytest.raises(DustError, match=r"changes that are not committed: new\.txt"):
        source_here(local=True)
    commit(project)
    with pytest.raises(DustError, match=r"workers cannot take stages\. .*cannot get commit"):
        joined(client).__enter__()
    git(project, "push", "--quiet", "origin", "HEAD")
    with joined(client):
        shutil.rmtree(tmp_path / "store")
    with pytest.raises(DustError, match="remote store is a folder, and it is not here"):
        joined(client).__enter__()
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    with pytest.raises(DustError, match="no default remote"):
        source_here(local=True)
    assert names(notes) == []


def test_what_neither_git_nor_dvc_has_is_refused_before_anything_starts(
    client: Client, project: Path, notes: Path
) -> None:
    Path("dvc.yaml").write_text(
        Path("dvc.yaml").read_text().replace('["stage.py"]', '["stage.py", "own.bin"]', 1)
    )
    (project / ".gitignore").write_text((project / ".gitignore").read_text() + "/own.bin\n")
    Path("own.bin").write_text("a data set of somebody")
    commit(project)
    with (
        joined(client) as workers,
        pytest.raises(DustError, match=r"workers cannot get what neither .*: own\.bin"),
    ):
        bring_up_to_date(workers, ["c"])
    assert names(notes) == []


@pytest.mark.parametrize("word", ["local:0", "slurm", "head:8786", "tcp://head"])
def test_a_word_that_is_no_scheduler_is_refused(word: str) -> None:
    with pytest.raises(DustError, match=f"'{word}' is no scheduler"), connected(word):
        pass


def test_workers_that_measure_otherwise_take_no_stages() -> None:
    here = Member("0", "f" * 64, "EPYC", ("m", "t"), {"torch": "2.11", "numpy": "2.4"})
    assert unlike(here, here) == ""
    assert unlike(Member("1", "e" * 64, "Xeon", here.code, here.versions), here) == (
        "its device is Xeon eeeeeeeeeeee"
    )
    assert "another version" in unlike(
        Member("1", here.device, "EPYC", ("m", None), here.versions), here
    )
    assert unlike(Member("1", here.device, "EPYC", here.code, {"torch": "2.11"}), here) == (
        "it has other versions of numpy"
    )
