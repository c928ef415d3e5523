"""`dust repro` under signals and after kills: nothing keeps running, nothing runs twice."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dust_core.declared.reading.yaml_text import parse_yaml

P0 = dict.fromkeys(("freeze_workload", "train_teacher", "evaluate_teacher", "judge_teacher"))
LATER = dict.fromkeys(("evaluate_teacher", "judge_teacher"), "execute")
P0_TASKS = ["P0-1", "P0-teacher", "P0-2", "P0-3"]
SECONDS = 30.0


def executed(repository: Path) -> list[str]:
    log = repository / "executed.txt"
    tasks = log.read_text().split() if log.is_file() else []
    log.unlink(missing_ok=True)
    return tasks


def stages(lock: str) -> dict[str, object]:
    return dict(parse_yaml(lock.encode(), "dvc.lock").data["stages"])


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_gone(number: int) -> bool:
    try:
        return Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def waiting(repository: Path) -> tuple[int, int]:
    """The numbers of the task that waits and of the DVC that runs it."""
    note = repository / "waiting.txt"
    wait_for(lambda: note.is_file() and len(note.read_text().split()) == 2)
    task, group = map(int, note.read_text().split())
    return task, group


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stage_and_dvc_and_the_next_repro_goes_on(
    number: signal.Signals, run: Callable, start: Callable, install: Callable, repository: Path
) -> None:
    install(freeze_workload="execute", train_teacher="wait", **LATER)
    run("dust", "pipeline")
    process: subprocess.Popen[str] = start("dust", "repro", "P0", "--draft")
    running = waiting(repository)
    process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    assert f"interrupted: by {number.name}; files already written are whole" in errors
    assert "Traceback" not in errors
    assert all(map(is_gone, running))
    assert executed(repository) == ["P0-1"]
    install(**dict.fromkeys(P0, "measured"))
    again = run("dust", "repro", "P0", "--draft")
    assert "busy" not in again.stderr
    assert executed(repository) == P0_TASKS[1:]


@pytest.mark.slow
def test_a_killed_repro_takes_dvc_and_its_stage_with_it(
    run: Callable, start: Callable, install: Callable, repository: Path
) -> None:
    install(freeze_workload="wait", train_teacher="wait", **LATER)
    run("dust", "pipeline")
    process: subprocess.Popen[str] = start("dust", "repro", "P0", "--draft")
    running = waiting(repository)
    process.kill()
    process.communicate()
    wait_for(lambda: all(map(is_gone, running)))
    held = repository / ".dvc" / "tmp" / "rwlock"
    assert json.loads(held.read_text()) in ({}, {"write": {}, "read": {}})


@pytest.mark.slow
def test_a_lock_that_was_cut_off_costs_no_stage_that_is_done(
    run: Callable, install: Callable, repository: Path, tmp_path: Path
) -> None:
    with (repository / ".dvc" / "config").open("a") as config:
        config.write(f"    remote = store\n['remote \"store\"']\n    url = {tmp_path}/store\n")
    install(**dict.fromkeys(P0, "measured"))
    run("dust", "pipeline")
    run("dust", "repro", "P0", "--draft")
    assert executed(repository) == P0_TASKS
    lock, kept = repository / "dvc.lock", repository / ".dvc" / "tmp" / "dust" / "small.lock"
    whole = lock.read_text()
    assert kept.read_text() == whole

    lock.write_text(whole[: len(whole) // 2])
    again = run("dust", "repro", "P0", "--draft")
    assert again.stderr.count("repaired: dvc.lock was cut off after") == 1
    assert executed(repository) == [] and lock.read_text() == whole

    # A copy that is older than the last stage: DVC takes that one from its run cache.
    kept.write_text(whole[: whole.index(f"  {list(stages(whole))[-1]}:")])
    lock.write_text("")
    run("dust", "repro", "P0", "--draft")
    assert executed(repository) == [] and stages(lock.read_text()) == stages(whole)
