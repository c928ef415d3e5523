"""`dust plan`: what is done, what would run, and why."""

import hashlib
import json
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

DISTILL = "specs/v1/distill.yaml"
MAIN_LINE = ["P0-1", "P0-teacher", "P0-2", "K-1", "K-2", "K-3", "K-4"]


def steps(project, *arguments):
    answer = project.dust("plan", *arguments, "--format", "json")
    assert answer.code == 0, answer.err
    return {step["task"]: step for step in json.loads(answer.out)["steps"]}


def test_nothing_was_executed_in_a_fresh_project(project):
    planned = steps(project)
    assert {step["state"] for step in planned.values()} == {"to run"}
    assert planned["K-1"]["reasons"] == ["never executed"]


def test_a_stage_comes_with_what_it_builds_on_each_after_its_own(project):
    planned = steps(project, "P1")
    assert list(planned)[-1] == "K-4"
    assert set(planned) == set(MAIN_LINE)
    seen = set()
    for name, step in planned.items():
        assert set(step["after"]) <= seen
        seen.add(name)
    assert list(steps(project, "K-1"))[-1] == "K-1"


def test_hours_are_those_of_what_runs(project):
    project.execute(*MAIN_LINE[:5])
    answer = project.dust("plan", "P1", "--profile", "full")
    assert "7 tasks: 7 to run; 121.5 GPU hours to run, by the specs' estimates." in answer.out
    answer = project.dust("plan", "P1", "--profile", "full", "--format", "markdown")
    assert "GPU hours |" in answer.out


def test_hours_of_a_gpu_are_not_said_of_a_processor(project):
    project.execute(*MAIN_LINE[:5])
    answer = project.dust("plan", "P1")
    assert "7 tasks: 5 to pull, 2 to run.\n" in answer.out
    assert "GPU" not in answer.out
    assert "GPU" not in project.dust("plan", "P1", "--format", "markdown").out


def test_files_that_are_here_need_no_pull(project):
    project.execute("P0-1")
    folder = project.root / "artifacts" / "small"
    folder.mkdir(parents=True)
    assert steps(project)["P0-1"]["state"] == "to pull"
    (folder / "workload.yaml").write_text("")
    put_result(project, "{}")
    assert steps(project)["P0-1"]["state"] == "done"


def put_result(project, content):
    """Write the result of P0-1, here and in the lock."""
    path = "artifacts/small/P0-1_log.json"
    (project.root / path).write_text(content)
    lock = project.lock()
    for out in lock["stages"]["P0-1"]["outs"]:
        if out["path"] == path:
            out["md5"] = hashlib.md5(content.encode()).hexdigest()
    project.write_lock(lock)


def test_a_result_that_is_not_the_one_of_the_lock_is_not_done(project):
    project.execute("P0-1")
    folder = project.root / "artifacts" / "small"
    folder.mkdir(parents=True)
    (folder / "workload.yaml").write_text("")
    put_result(project, "{}")
    (folder / "P0-1_log.json").write_text('{"better": true}')
    answer = project.dust("plan", "P0-1")
    assert "1 task: 1 changed here." in answer.out
    assert (
        "P0-1_log.json is not the one of the lock: restore it with "
        "`dvc pull --force artifacts/small/P0-1_log.json`" in answer.out
    )
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").write_text("[core]\nanalytics = false\n")
    (reason,) = steps(project, "P0-1")["P0-1"]["reasons"]
    assert reason.endswith("no remote has that one, and `dust repro` makes it anew")


def test_a_change_runs_its_stage_and_what_builds_on_it(project):
    project.execute(*MAIN_LINE)
    project.edit(DISTILL, "patience: 3", "patience: 5", after="    K-2:\n")
    planned = steps(project, "P1")
    running = {name: step["reasons"] for name, step in planned.items() if step["state"] == "to run"}
    assert running == {"K-2": ["its spec changed"], "K-4": ["K-2 runs"]}


@pytest.mark.parametrize(
    ("config", "stored", "state"),
    [
        ("[core]\nremote = s\n['remote \"s\"']\nurl = ../store\n", "store", "to pull"),
        ("[core]\nremote = s\n['remote \"s\"']\nurl = ../store\n", ".dvc/cache", "to pull"),
        ("[core]\nremote = s\n['remote \"s\"']\nurl = ../store\n", "elsewhere", "not kept"),
        ("[core]\nremote = s\n['remote \"s\"']\nurl = s3://bucket/dust\n", "elsewhere", "to pull"),
        ("[core]\nanalytics = false\n", "elsewhere", "not kept"),
        ("[cache]\ndir = ../elsewhere\n", "elsewhere", "to pull"),
        ("[core\n", "elsewhere", "to pull"),
    ],
)
def test_what_no_remote_keeps_cannot_be_pulled(project, config, stored, state):
    project.execute("P0-1")
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").write_text(config)
    for out in project.lock()["stages"]["P0-1"]["outs"]:
        kept = project.root / stored / "files" / "md5" / out["md5"][:2] / out["md5"][2:]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.touch()
    step = steps(project)["P0-1"]
    assert step["state"] == state
    lost = [f"no remote has {name}" for name in ("workload.yaml", "P0-1_log.json")]
    assert step["reasons"] == (lost if state == "not kept" else [])


def test_outputs_that_changed_since_they_were_read_run_the_reader(project):
    project.execute(*MAIN_LINE)
    lock = project.lock()
    lock["stages"]["K-1"]["outs"][0]["md5"] = "1" * 32
    project.write_lock(lock)
    planned = steps(project, "P1")
    assert planned["K-4"]["reasons"] == ["K-1 wrote another student_fp32_t3b05.pth"]


def test_profiles_have_locks_of_their_own(project):
    project.execute("P0-1", profile="ci")
    assert steps(project, "P0")["P0-1"]["state"] == "to run"
    assert steps(project, "P0", "--profile", "ci")["P0-1"]["state"] == "to pull"


def test_markdown_is_a_table(project):
    project.execute("P0-1")
    answer = project.dust("plan", "P0", "--format", "markdown")
    assert "| `P0-1` | `freeze-workload` | — | **to pull** | — |" in answer.out
    assert "| `P0-2` | `evaluate-teacher` |" in answer.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("P9",), "there is no stage 'P9'"),
        (("K-9",), "K-9"),
        (("--profile", "smal"), "did you mean small?"),
        (("--specs", "elsewhere/specs"), "there are no specs"),
    ],
)
def test_what_does_not_exist_is_named(project, arguments, message):
    answer = project.dust("plan", *arguments)
    assert answer.code == 2
    assert message in answer.err


@pytest.mark.slow
def test_locks_are_read_as_dvc_writes_them(project):
    """DVC executes four stages of the pipeline, with commands that only touch their outputs."""
    pytest.importorskip("dvc")
    for split in ("workload", "calibration", "training", "validation"):
        (project.root / "data" / split).mkdir(parents=True)
        (project.root / "data" / split / "manifest.json").write_text(split)
    assert project.dust("pipeline").code == 0
    yaml = YAML()
    pipeline = yaml.load(project.root / "dvc.yaml")
    wanted = MAIN_LINE[:4]
    pipeline["stages"] = {name: pipeline["stages"][name] for name in wanted}
    original = {}
    for name, stage in pipeline["stages"].items():
        original[name] = stage["cmd"]
        stage["cmd"] = f"mkdir -p artifacts/small && touch {' '.join(stage['outs'])}"
    yaml.dump(pipeline, project.root / "dvc.yaml")
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (project.root / ".gitignore").write_text("/artifacts/\n")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=project.root, check=True)
    planned = steps(project, "K-1")
    assert {name: step["state"] for name, step in planned.items()} == dict.fromkeys(wanted, "done")
    project.edit("specs/profiles/small.yaml", "threads: 2", "threads: 3")
    assert steps(project, "K-1")["P0-2"]["reasons"] == ["threads of the profile small changed"]

    project.edit("specs/profiles/small.yaml", "threads: 3", "threads: 2")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit("executed by DVC")
    assert project.dust("diff", "main").code == 0
    project.edit(DISTILL, "epochs: 30", "epochs: 20", after="    K-1:\n")
    changed = project.dust("diff", "main")
    assert changed.code == 1
    assert "K-1 was executed as K_T3B05_run1 and changes (epochs)" in changed.out
