"""`dust ledger`: what was executed, shown and appended."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from dust_core.declared.records.ledger import ledger_path, read_ledger

sys.path.insert(0, str(Path(__file__).parent))
from executed_results import result_of

from dust_core.declared.records import result_file_text
from dust_core.declared.specs import load_specs, resolve

DISTILL = "specs/v1/distill.yaml"


def finish(project, task, *, salt=""):
    """Execute a task with a result file that the lock has too."""
    project.execute(task, salt=salt, record=False)
    resolved = resolve(load_specs(Path("specs")), task, "small")
    path = Path("artifacts", "small", resolved.task.result_file(task))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(result_file_text(result_of(resolved)).replace("made up", salt or "made up"))
    lock = project.lock()
    for out in lock["stages"][task]["outs"]:
        if out["path"] == path.as_posix():
            out["md5"] = hashlib.md5(path.read_bytes()).hexdigest()
    project.write_lock(lock)
    return path


def lines(task):
    path = ledger_path("small", task)
    files = {path: Path(path).read_bytes()} if Path(path).is_file() else {}
    return [line for file in read_ledger(files) for line in file.lines]


def test_what_was_executed_is_appended_once(project):
    path = finish(project, "K-1")
    answer = project.dust("ledger", "--append")
    appended, then = answer.out.splitlines()
    assert (answer.code, appended) == (0, "ledger: K-1 run 1 is appended")
    assert "commit dvc.lock and executions together" in then
    (line,) = lines("K-1")
    assert line.result == path.as_posix()
    assert line.result_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    resolved = resolve(load_specs(Path("specs")), "K-1", "small")
    assert (line.spec_digest, line.workload_sha256) == (resolved.digest, resolved.workload_digest)
    assert "artifacts/small/student_fp32_t3b05.pth" in line.outputs
    assert project.dust("ledger", "--append").out == ""
    assert len(lines("K-1")) == 1
    said = project.dust("validate", "specs", "--select", "EXEC", "--ignore", "EXEC009")
    assert "0 errors" in said.out
    shown = project.dust("ledger").out
    assert "K_T3B05_run1" in shown and "1 execution under small" in shown


def test_a_second_execution_of_a_run_is_left_out(project):
    finish(project, "K-1")
    project.dust("ledger", "--append")
    before = Path(ledger_path("small", "K-1")).read_bytes()
    finish(project, "K-1", salt="better")
    answer = project.dust("ledger", "--append")
    assert answer.code == 1
    assert "K-1 run 1 (small) was executed again on the same inputs: take the next run: 2" in (
        answer.err
    )
    assert Path(ledger_path("small", "K-1")).read_bytes() == before
    project.next_run("K-1")
    finish(project, "K-1", salt="better")
    assert project.dust("ledger", "--append").code == 0
    assert [line.run for line in lines("K-1")] == [1, 2]
    assert Path(ledger_path("small", "K-1")).read_bytes().startswith(before)


def test_a_run_that_is_there_twice_says_which_inputs_differ(project):
    project.execute("K-1", "K-4")
    assert "again" not in project.dust("ledger").out
    project.next_run("K-1")
    project.execute("K-1", "K-4")
    rows = project.dust("ledger").out.splitlines()
    assert len([row for row in rows if "  K-4 run 1  " in row]) == 2
    (again,) = [row for row in rows if "again" in row]
    assert "  K-4 run 1  " in again
    assert again.endswith("  again, on other inputs: student_fp32_t3b05.pth")


def test_a_result_that_is_absent_or_edited_is_left_out(project):
    path = finish(project, "K-1")
    path.write_text(path.read_text().replace("made up", "improved"))
    answer = project.dust("ledger", "--append")
    assert answer.code == 1
    assert "has another artifacts/small/K_T3B05_run1_log.json here than in dvc.lock" in answer.err
    assert f"restore it with 'dvc pull --force {path}'" in answer.err
    path.unlink()
    assert "has no result here: fetch" in project.dust("ledger", "--append").err
    assert lines("K-1") == []


def test_only_quotable_executions_are_recorded(project):
    answer = project.dust("ledger", "--append", "--profile", "ci")
    assert answer.code == 2
    assert "the profile ci is not quotable" in answer.err


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda line: line[:-1], "a line without its end"),
        (lambda line: line.replace(b"\n", b"\r\n"), "CR LF"),
        (lambda line: b"", "an empty file"),
        (lambda line: line.replace(b'"run": 1', b'"run": "1"'), "expected"),
        (lambda line: line.replace(b"K-1", b"K-2"), "belongs in executions/small/K-2.jsonl"),
        (lambda line: line.replace(b'"run": 1', b'"run": 1, "run": 1'), "not JSON"),
    ],
)
def test_a_damaged_ledger_is_not_appended_to(project, damage, text):
    finish(project, "K-1")
    project.dust("ledger", "--append")
    path = Path(ledger_path("small", "K-1"))
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    answer = project.dust("ledger", "--append")
    assert answer.code == 2
    assert text in answer.err
    assert path.read_bytes() == damaged


def test_the_committed_ledger_is_that_of_the_committed_lock():
    root = Path(__file__).parents[4]
    content = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in (*(root / "executions").rglob("*.jsonl"), root / "dvc.lock")
    }
    from dust_core.declared.agreed.ledger import disagreements, executed_again
    from dust_core.declared.change.executed import executions

    files = read_ledger(content)
    assert len(files) >= 14
    assert [file.faults for file in files if file.faults] == []
    assert list(executed_again(files)) == []
    assert list(disagreements("small", executions(content, "small"), files)) == []


def test_a_line_that_cannot_be_read_is_said_to_be_missing(project):
    finish(project, "K-1")
    project.dust("ledger", "--append")
    Path(ledger_path("small", "K-2")).write_text("null\n")
    answer = project.dust("ledger")
    assert answer.code == 1
    assert "1 execution under small" in answer.out
    assert f"not shown: {ledger_path('small', 'K-2')}:1: " in answer.err


@pytest.mark.parametrize("path", ["dvc.lock", ledger_path("small", "K-1")])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_has_the_name_of_a_lock_or_ledger_and_is_none_is_refused(project, path, make):
    """It would otherwise pass for a project in which nothing was executed."""
    finish(project, "K-1")
    project.dust("ledger", "--append")
    Path(path).unlink()
    make(path)
    answer = project.dust("ledger", "--append")
    assert answer.code == 2
    assert "cannot read the file: it is no regular file" in answer.err
