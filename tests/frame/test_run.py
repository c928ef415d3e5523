"""`dust run`: it executes a task, or says what is missing; it never pretends."""

from collections.abc import Callable
from pathlib import Path

from dust_core.declared.locks import only_run


def test_without_an_executor_it_says_what_is_missing(run: Callable, repository: Path) -> None:
    done = run("dust", "run", "K-1")
    assert done.returncode == 2
    assert "no installed package executes distill (task K-1)" in done.stderr
    assert "dust-compress" in done.stderr
    assert not (repository / "artifacts").exists()


def test_an_unknown_task_is_refused(run: Callable) -> None:
    done = run("dust", "run", "K-9")
    assert done.returncode == 2
    assert "K-9" in done.stderr
    assert "Traceback" not in done.stderr


def test_values_that_a_user_has_to_supply_are_named(run: Callable, install: Callable) -> None:
    install(freeze_workload="execute")
    done = run("dust", "run", "P0-1", "--profile", "full")
    assert done.returncode == 2
    assert "the profile full lacks data.workload.sha256, data.workload.pairs" in done.stderr
    assert "teacher.checkpoint.sha256" in done.stderr


def test_missing_inputs_are_named_with_what_makes_them(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(distill="execute")
    done = run("dust", "run", "K-1")
    assert done.returncode == 2
    assert "artifacts/small: K-1 reads teacher_fp32.pth" in done.stderr
    assert "dvc pull" in done.stderr


def test_a_task_is_executed_and_logged(run: Callable, install: Callable, repository: Path) -> None:
    install(freeze_workload="execute")
    done = run("dust", "run", "P0-1", "--profile", "ci")
    assert done.returncode == 0, done.stderr
    assert (repository / "artifacts" / "ci" / "workload.yaml").is_file()
    log = (repository / "artifacts" / "ci" / "logs" / "P0-1.log").read_text()
    assert "P0-1: freeze-workload starts with profile ci" in log
    assert "P0-1 is done" in log


def test_a_task_computes_with_the_threads_of_its_profile(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(freeze_workload="count_threads")
    profile = repository / "specs" / "profiles" / "ci.yaml"
    assert "threads: 1\n" in profile.read_text()
    done = run("dust", "run", "P0-1", "--profile", "ci")
    assert done.returncode == 0, done.stderr
    assert (repository / "threads.txt").read_text() == "1"


def test_outputs_that_are_not_written_are_a_fault_of_the_executor(
    run: Callable, install: Callable
) -> None:
    install(freeze_workload="forget")
    done = run("dust", "run", "P0-1")
    assert done.returncode == 2
    assert "P0-1 ended without writing P0-1_log.json, workload.yaml" in done.stderr


def test_a_second_run_waits_for_nobody(run: Callable, install: Callable, repository: Path) -> None:
    install(freeze_workload="execute")
    with only_run(repository / "artifacts" / ".lock", "dust run K-2 --profile small"):
        done = run("dust", "run", "P0-1")
    assert done.returncode == 2
    assert "another run is under way: dust run K-2 --profile small, process" in done.stderr
