"""DVC's pipelines: written from the specs, and stale exactly where the specs changed."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from declared_specs import run as run_of

from dust_core.declared.specs import load_yaml

ALL = dict.fromkeys(
    (
        "freeze_workload", "train_teacher", "evaluate_teacher", "judge_teacher", "distill",
        "select_student",
    ),
    "measured",
)  # fmt: skip
BEFORE = {f"GIT_{who}_DATE": "2025-12-31T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
"""Commits are older than the results that `measured` writes."""
P1 = ["P0-1", "P0-teacher", "P0-2", "K-1", "K-2", "K-3", "K-4"]


def stages(path: Path) -> dict[str, dict[str, object]]:
    return load_yaml(path).data["stages"]


def executed(repository: Path) -> list[str]:
    """The tasks executed since the last call."""
    log = repository / "executed.txt"
    tasks = log.read_text().split() if log.is_file() else []
    log.unlink(missing_ok=True)
    return tasks


def edit(path: Path, task: str, pattern: str, new: str) -> None:
    """Replace the first match of `pattern` after `task`."""
    before, heading, after = path.read_text().partition(f"{task}:")
    assert heading
    changed, count = re.subn(pattern, new, after, count=1)
    assert count == 1
    path.write_text(before + heading + changed)


def commit(repository: Path) -> None:
    """Approve the specs as they are: the branch that is checked out is the protected branch."""
    person = ("-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("add", "--all"), (*person, "commit", "--quiet", "-m", "approved")):
        environment = os.environ | BEFORE
        subprocess.run(["git", *words], cwd=repository, check=True, env=environment)


def test_the_committed_pipelines_are_what_the_specs_say(run: Callable) -> None:
    root = Path(__file__).parents[2]
    from dust_core.declared.pipeline.stages import dvc_yaml
    from dust_core.declared.project import pipeline_path
    from dust_core.declared.specs import load_specs

    specs = load_specs(root / "specs")
    for profile in specs.profiles:
        assert (root / pipeline_path(profile)).read_text() == dvc_yaml(specs, profile)


def test_a_pipeline_has_a_stage_a_task(run: Callable, repository: Path) -> None:
    assert run("dust", "pipeline").returncode == 0
    written = stages(repository / "dvc.yaml")
    assert set(P1) < set(written)
    k1 = written["K-1"]
    assert k1["cmd"] == "dust run K-1 --profile small"
    assert "artifacts/small/student_fp32_t3b05.pth" in k1["outs"]
    distill = next(params for params in k1["params"] if "specs/v1/distill.yaml" in params)
    assert {"spec.common", "spec.tasks.K-1.T", "spec.tasks.K-1.run"} <= set(*distill.values())
    assert "spec.tasks.K-1.hypothesis" not in str(k1["params"])


def test_other_profiles_have_pipelines_of_their_own(run: Callable, repository: Path) -> None:
    run("dust", "pipeline")
    k1 = stages(repository / "pipelines" / "ci" / "dvc.yaml")["K-1"]
    assert k1["cmd"] == "dust run K-1 --profile ci"
    assert k1["wdir"] == "../.."


def test_only_lines_on_latency_depend_on_the_device(run: Callable, repository: Path) -> None:
    run("dust", "pipeline")
    bound = {
        name
        for name, stage in stages(repository / "dvc.yaml").items()
        if "artifacts/small/device.json" in stage.get("deps", [])
    }
    assert "KQ-3" in bound
    assert bound.isdisjoint(P1)


def test_how_figures_are_taken_does_not_decide_the_teacher(run: Callable, repository: Path) -> None:
    run("dust", "pipeline")
    teacher = stages(repository / "dvc.yaml")["P0-teacher"]
    parameters = {key: names for params in teacher["params"] for key, names in params.items()}
    assert "spec" not in parameters["specs/v1/workload.yaml"]
    assert "spec.training.teacher" in parameters["specs/profiles/small.yaml"]
    assert "spec.threads" not in parameters["specs/profiles/small.yaml"]
    assert "data/workload" not in teacher["deps"]


def test_check_finds_a_pipeline_that_was_edited(run: Callable, repository: Path) -> None:
    run("dust", "pipeline")
    assert run("dust", "pipeline", "--check").returncode == 0
    edit(repository / "dvc.yaml", "K-1", "dust run K-1", "dust run K-2")
    done = run("dust", "pipeline", "--check")
    assert done.returncode == 1
    assert "out of date with the specs: dvc.yaml" in done.stderr
    assert "dust run K-2" in (repository / "dvc.yaml").read_text()


def test_repro_says_what_code_is_missing(run: Callable, repository: Path) -> None:
    run("dust", "pipeline")
    done = run("dust", "repro", "P3")
    assert done.returncode == 2
    for expected in ("choose-student (task KQ-1)", "qat-student (task KQ-2)", "dust-compress"):
        assert expected in done.stderr
    assert not (repository / "artifacts").exists()


def test_repro_refuses_a_stale_pipeline(run: Callable, install: Callable) -> None:
    install(**ALL)
    done = run("dust", "repro", "P1")
    assert done.returncode == 2
    assert "the pipeline differs from the specs" in done.stderr


def test_repro_knows_its_stages(run: Callable) -> None:
    done = run("dust", "repro", "P9")
    assert done.returncode == 2
    assert "there is no stage 'P9'" in done.stderr
    assert "one of P0, P1, P2, P3, P4, P5" in done.stderr


@pytest.mark.slow
def test_a_change_to_one_task_makes_its_own_stages_stale_and_no_others(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(**ALL)
    run("dust", "pipeline")
    first = run("dvc", "repro", "K-4")
    assert first.returncode == 0, first.stdout + first.stderr
    assert sorted(executed(repository)) == sorted(P1)

    assert run("dvc", "repro", "K-4").returncode == 0
    assert executed(repository) == []

    distill = repository / "specs" / "v1" / "distill.yaml"
    edit(distill, "K-2", r"patience: \d+", "patience: 7")
    status = json.loads(run("dvc", "status", "--json", *P1).stdout)
    assert set(status) == {"K-2"}
    commit(repository)
    assert run("dvc", "repro", "K-4").returncode == 0
    assert executed(repository) == ["K-2", "K-4"]


@pytest.mark.slow
def test_a_draft_decides_nothing_and_runs_again_once_it_is_approved(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(**ALL)
    edit(
        repository / "specs" / "v1" / "baseline.yaml",
        "P0-1",
        r"on_failure: \w+",
        "on_failure: record",
    )
    run("dust", "pipeline")
    refused = run("dust", "repro", "P0")
    assert "P0-1 is not as it was approved on master: its spec differs" in refused.stderr
    assert executed(repository) == []
    draft = run("dust", "repro", "P0", "--draft")
    assert draft.returncode == 1
    assert "a draft of P0-1 ran: have its specs approved" in draft.stdout
    tasks = executed(repository)
    assert "P0-1" in tasks and not (repository / "executions").exists()
    commit(repository)
    approved = run("dust", "repro", "P0")
    assert executed(repository) == tasks
    assert "a draft of" not in approved.stdout


@pytest.mark.slow
def test_repro_ends_at_the_stage_whose_task_says_stop(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(**ALL)
    run("dust", "pipeline")
    (repository / "failing.txt").write_text("P0-2")
    done = run("dust", "repro", "P0", "P1")
    assert done.returncode == 1
    assert "P0: P0-2 missed a line and on_failure is stop: nothing after P0 ran" in done.stderr
    assert set(executed(repository)) == {"P0-1", "P0-teacher", "P0-2", "P0-3"}
    recorded = repository / "executions" / "small"
    assert {path.stem for path in recorded.iterdir()} == {"P0-1", "P0-teacher", "P0-2", "P0-3"}
    line = json.loads((recorded / "P0-2.jsonl").read_text())
    assert (line["run"], line["result"]) == (run_of("P0-2"), "artifacts/small/teacher_eval.json")

    # The result counts until the task is run again: nothing is stale, and the line is still missed.
    (repository / "failing.txt").write_text("")
    again = run("dust", "repro", "P0")
    assert again.returncode == 1
    assert "P0-2, no_nan: fail: 1 is not 0" in again.stdout
    assert again.stdout.splitlines()[-1] == "3 of 4 tasks of P0 pass, P0-2 not: exit 1"
    assert executed(repository) == []
    written = json.loads((repository / "artifacts/small/verdicts/P0.json").read_text())
    assert {task["task"]: task["status"] for task in written["tasks"]} == {
        "P0-1": "pass",
        "P0-teacher": "pass",
        "P0-2": "fail",
        "P0-3": "pass",
    }

    baseline = repository / "specs" / "v1" / "baseline.yaml"
    edit(baseline, "P0-2", r"on_failure: \w+", "on_failure: record")
    commit(repository)
    repeated = run("dust", "repro", "P0")
    assert repeated.returncode == 0
    assert repeated.stdout.splitlines()[-1] == "4 tasks of P0 pass: exit 0"
    assert executed(repository) == ["P0-2", "P0-3"]
    assert (
        f"not in the ledger: P0-2 run {run_of('P0-2')} (small) was executed again with"
        in repeated.stderr
    )
    assert json.loads((recorded / "P0-2.jsonl").read_text()) == line


@pytest.mark.slow
def test_results_of_stages_that_are_done_elsewhere_are_pulled_and_judged(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(**ALL)
    run("dust", "pipeline")
    (repository / "failing.txt").write_text("")
    run("dvc", "remote", "add", "-d", "store", str(repository.parent / "store"))
    assert run("dust", "repro", "P0").returncode == 0
    assert executed(repository) != []
    assert run("dvc", "push").returncode == 0
    shutil.rmtree(repository / "artifacts")
    shutil.rmtree(repository / ".dvc" / "cache")
    done = run("dust", "repro", "P0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert executed(repository) == []
    assert (repository / "artifacts" / "small" / "teacher_eval.json").is_file()

    # What is stale here reads what was made there.
    shutil.rmtree(repository / "artifacts")
    shutil.rmtree(repository / ".dvc" / "cache")
    edit(
        repository / "specs" / "v1" / "baseline.yaml",
        "P0-2",
        r"on_failure: \w+",
        "on_failure: record",
    )
    commit(repository)
    done = run("dust", "repro", "P0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert executed(repository) == ["P0-2", "P0-3"]


@pytest.mark.slow
def test_lines_bind_nothing_where_figures_are_not_to_be_quoted(
    run: Callable, install: Callable, repository: Path
) -> None:
    install(**ALL)
    run("dust", "pipeline")
    (repository / "failing.txt").write_text("P0-2")
    done = run("dust", "repro", "P0", "P1", "--profile", "ci")
    assert done.returncode == 0
    ending = "8 tasks of P0, P1 ran; the lines of this profile bind nothing: exit 0"
    assert done.stdout.splitlines()[-1] == ending
    assert {"P0-2", "K-4"} <= set(executed(repository))


@pytest.mark.slow
def test_another_device_makes_the_measured_stages_stale(run: Callable, repository: Path) -> None:
    run("dust", "pipeline")
    assert run("dust", "device").returncode == 0
    file = repository / "artifacts" / "small" / "device.json"
    device = json.loads(file.read_text())
    assert (device["kind"], len(device["fingerprint"])) == ("cpu", 64)

    # As if P0-2, whose lines bind no latency, and KQ-3 had been executed here.
    for task in ("P0-2", "KQ-3"):
        stage = stages(repository / "dvc.yaml")[task]
        for name in [*stage["deps"], *stage["outs"]]:
            path = repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(name)
    committed = run("dvc", "commit", "--force", "P0-2", "KQ-3")
    assert committed.returncode == 0, committed.stdout + committed.stderr

    def stale() -> set[str]:
        return set(json.loads(run("dvc", "status", "--json", "P0-2", "KQ-3").stdout))

    assert stale() == set()
    assert run("dust", "device").returncode == 0
    assert stale() == set()
    file.write_text(json.dumps(device | {"fingerprint": "0" * 64}))
    assert stale() == {"KQ-3"}
