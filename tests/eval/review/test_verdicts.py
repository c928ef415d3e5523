"""`dust verdicts`: results are reviewed by their content, whatever the pull request changes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from dust_core.declared.records import result_file_text
from dust_core.declared.specs import load_specs


def test_a_better_result_shows_was_and_is(repository):
    commit = repository.git("rev-list", "--max-parents=0", "HEAD")
    repository.executed(P0_2=repository.made_up("P0-2"), K_1=repository.made_up("K-1", 0.948))
    repository.commit()
    done = repository.dust("verdicts", "main")
    assert done.code == 0, done.err
    lines = [row[:3] for row in done.rows()]
    assert lines == [["`small`", "`K-1`", "`quality_kept`"]]
    *_, was, is_, device, measured = done.rows()[0]
    assert was == "**fail**, `15.79 % (<= 1 %)`"
    assert is_ == "**pass**, `0.2105 % (<= 1 %)`"
    assert device == "`Example CPU cccccccc`"
    assert measured == f"`{commit[:10]}`"


def test_nothing_changed_is_one_sentence(repository):
    (repository.root / "notes.txt").write_text("no result")
    repository.commit()
    done = repository.dust("verdicts", "main")
    assert done.code == 0
    assert done.rows() == []
    assert "The verdicts did not change: " in done.out and "2 pass, 1 fail" in done.out


def test_a_lowered_teacher_changes_the_verdict_of_the_student(repository):
    repository.executed(
        P0_2=repository.made_up("P0-2", 0.8), K_1=repository.made_up("K-1", 0.8, 0.8)
    )
    repository.commit()
    rows = {(row[1], row[2]): row for row in repository.dust("verdicts", "main").rows()}
    assert rows["`K-1`", "`quality_kept`"][4] == "**pass**, `0 % (<= 1 %)`"


def test_a_result_that_the_rules_refuse_is_not_believed(repository):
    file = repository.made_up("K-1", 0.948)
    content = json.loads(result_file_text(file))
    content["results"][0]["record"]["delta1"] = 0.9481
    text = json.dumps(content)

    task = load_specs(Path("specs")).tasks["K-1"]
    name = task.result_file("K-1")
    teacher = result_file_text(repository.made_up("P0-2")).encode()
    repository.lock({"P0-2": {"teacher_eval.json": teacher}, "K-1": {name: text.encode()}})
    repository.commit()
    done = repository.dust("verdicts", "main")
    assert done.code == 1
    assert "Not to be believed" in done.out
    assert f"artifacts/small/{name}: REC011" in done.out
    assert "**cannot be read**" in done.out


def test_a_result_of_another_commit_or_line_of_specs_is_judged_by_its_own_specs(repository):
    gates = repository.root / "specs" / "v1" / "gates.yaml"
    before, mark, after = gates.read_text().partition("quality_kept:")
    gates.write_text(before + mark + after.replace("value: 1.0", "value: 20.0", 1))
    repository.commit()
    done = repository.dust("verdicts", "main", "--format", "json")
    (row,) = [row for row in json.loads(done.out)["rows"] if row["task"] == "K-1"]
    assert row["was"]["line"] == 1.0 and row["was"]["value"] is not None
    assert row["is"]["reason"].startswith("the result is of another version of K-1")


def test_a_result_that_nobody_stored_is_named(repository):
    shutil.rmtree(repository.root / "store")
    repository.commit()
    done = repository.dust("verdicts", "main")
    assert done.code == 1
    assert "artifacts/small/teacher_eval.json (MD5 " in done.out
    assert "cannot be had" in done.out


def test_a_lock_that_forgets_a_result_shows_what_was(repository):
    repository.executed(P0_2=repository.made_up("P0-2"))
    repository.commit()
    (row,) = [row for row in repository.dust("verdicts", "main").rows() if row[1] == "`K-1`"]
    assert row[3].startswith("**fail**") and row[4] == "not executed"


def test_the_head_does_not_say_where_results_come_from(repository):
    """Its store holds other bytes under the right names, and its configuration leads there."""
    elsewhere = repository.root / "elsewhere"
    shutil.copytree(repository.root / "store", elsewhere)
    for path in elsewhere.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"0.8", b"0.9"))
    config = repository.root / ".dvc" / "config"
    config.write_text(config.read_text().replace("../store", "../elsewhere"))
    (repository.root / ".dvc" / "config.local").write_text(config.read_text())
    repository.commit()
    done = repository.dust("verdicts", "main")
    assert done.code == 0, done.out
    assert "The verdicts did not change: " in done.out


def test_bytes_that_are_not_the_content_are_not_read(repository):
    """DVC believes a read-only file of the cache, and a pull request can bring a cache."""
    cache = repository.root / ".dvc" / "cache" / "files" / "md5"
    shutil.copytree(repository.root / "store" / "files" / "md5", cache)
    for path in cache.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"0.8", b"0.9"))
            path.chmod(0o444)
    repository.commit()
    done = repository.dust("verdicts", "main")
    assert done.code == 1
    assert "cannot be had" in done.out


def test_a_profile_that_may_not_be_quoted_for_one_pull_request_is_judged(repository):
    profile = repository.root / "specs" / "profiles" / "small.yaml"
    profile.write_text(profile.read_text().replace("quotable: true", "quotable: false"))
    repository.executed(P0_2=repository.made_up("P0-2"), K_1=repository.made_up("K-1", 0.948))
    repository.commit()
    assert ["`small`", "`K-1`"] in [row[:2] for row in repository.dust("verdicts", "main").rows()]


def test_a_fresh_clone_without_a_cache_reads_from_the_store_in_it(repository, tmp_path):
    clone = tmp_path / "fresh"
    repository.git("clone", "--quiet", str(repository.root), str(clone))
    command = [sys.executable, "-m", "dust_core", "verdicts", "origin/main", "HEAD"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 pass, 1 fail" in done.stdout
    assert subprocess.run(
        ["git", "status", "--porcelain", "--", ":!.dvc/cache"],
        cwd=clone, capture_output=True, text=True,
    ).stdout == ""  # fmt: skip
