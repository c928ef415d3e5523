"""`dust repro --on local`: DVC, ledger and verdicts are as after a run here; signals end it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from declared_specs import run as run_of

P0 = dict.fromkeys(
    ("freeze_workload", "train_teacher", "evaluate_teacher", "judge_teacher"), "measured"
)
P0_TASKS = ["P0-1", "P0-teacher", "P0-2", "P0-3"]
P1 = P0 | dict.fromkeys(("distill", "select_student"), "measured")
BEFORE = {f"GIT_{who}_DATE": "2025-12-31T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
"""Commits are older than the results that `measured` writes."""
CLONES = ".dvc/tmp/dust/workers/dask-scratch-space/dust"
SECONDS = 60.0


@pytest.fixture
def committed(run: Callable, repository: Path) -> Path:
    """The repository with its pipelines and a remote of DVC, and nothing left to commit."""
    (repository.parent / "store").mkdir()
    (repository / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    remote = store\n"
        "['remote \"store\"']\n    url = ../../store\n"
    )
    (repository / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    assert run("dust", "pipeline").returncode == 0
    commit(repository)
    return repository


def commit(repository: Path) -> None:
    person = ("-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("add", "--all"), (*person, "commit", "--quiet", "-m", "approved")):
        environment = os.environ | BEFORE
        subprocess.run(["git", *words], cwd=repository, check=True, env=environment)


def starts(output: str) -> list[str]:
    return [line.split()[0] for line in output.splitlines() if " starts on worker " in line]


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_gone(number: int) -> bool:
    try:
        return Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
def test_everything_is_as_after_a_run_here(
    run: Callable, install: Callable, committed: Path
) -> None:
    install(**P0)
    done = run("dust", "repro", "P0", "--on", "local:2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert starts(done.stdout) == P0_TASKS
    assert f"ledger: P0-2 run {run_of('P0-2')} is appended" in done.stdout
    recorded = committed / "executions" / "small"
    assert {path.stem for path in recorded.iterdir()} == set(P0_TASKS)
    line = json.loads((recorded / "P0-2.jsonl").read_text())
    assert line["result"] == "artifacts/small/teacher_eval.json"

    commit(committed)
    again = run("dust", "repro", "P0")
    assert again.returncode == 0 and "Running stage" not in again.stdout
    assert not (committed / "executed.txt").exists()
    shutil.rmtree(committed / "artifacts")
    shutil.rmtree(committed / ".dvc" / "cache")
    assert run("dvc", "pull", "P0-1", "P0-teacher", "P0-2", "P0-3").returncode == 0
    assert run("dust", "gate", "P0").returncode == 0
    status = json.loads(run("dvc", "status", "--json", *P0_TASKS).stdout)
    assert status == {}


@pytest.mark.slow
def test_students_are_distilled_side_by_side(
    run: Callable, install: Callable, committed: Path
) -> None:
    install(**P1)
    done = run("dust", "repro", "P1", "--profile", "ci", "--on", "local:3")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    names = [f"{line.split()[0]} {line.split()[1]}" for line in lines if " on worker " in line]
    begun, ended = ({f"K-{n} {what}" for n in (1, 2, 3)} for what in ("starts", "done"))
    first = min(names.index(name) for name in ended)
    assert begun <= set(names[:first])
    assert names.index("K-4 starts") > max(names.index(name) for name in ended)
    assert len(starts(done.stdout)) == len(set(starts(done.stdout))) == 7


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stages_of_the_workers(
    number: signal.Signals, start: Callable, install: Callable, committed: Path
) -> None:
    install(**P0 | {"freeze_workload": "wait"})
    process = start("dust", "repro", "P0", "--profile", "ci", "--on", "local:2")

    def notes() -> list[str]:
        files = (committed / CLONES).glob("*/waiting.txt")
        return [word for file in files for word in file.read_text().split()]

    wait_for(lambda: len(notes()) == 2)
    running = list(map(int, notes()))
    process.send_signal(number)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    assert f"interrupted: by {number.name}; files already written are whole" in errors
    assert "Traceback" not in output + errors
    assert all(map(is_gone, running))
    assert not (committed / "pipelines" / "ci" / "dvc.lock").exists()


def test_without_dask_it_says_what_to_install(
    run: Callable, install: Callable, committed: Path
) -> None:
    install(**P0)
    missing = committed.parent / "installed" / "distributed.py"
    missing.write_text("raise ModuleNotFoundError(name='distributed')")
    done = run("dust", "repro", "P0", "--on", "local")
    assert done.returncode == 2
    assert "dask.distributed is not installed" in done.stderr
    assert "pip install 'dust-core[cluster]'" in done.stderr


def test_uncommitted_changes_are_refused(run: Callable, install: Callable, committed: Path) -> None:
    install(**P0)
    (committed / "specs" / "note.txt").write_text("")
    done = run("dust", "repro", "P0", "--on", "local")
    assert done.returncode == 2
    assert "changes that are not committed: specs/note.txt" in done.stderr
    assert not (committed / "artifacts").exists()


def test_a_scheduler_that_is_not_there_is_a_message(
    run: Callable, install: Callable, committed: Path
) -> None:
    install(**P0)
    done = run("dust", "repro", "P0", "--on", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "tcp://127.0.0.1:9: no scheduler of dask answers" in done.stderr
    assert "Traceback" not in done.stderr
