"""What `dust repro` says before it runs, from this repository's own specs, all of them executed."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from declared_specs import exp_id, specs
from executed_lock import lock_stages

from dust_core.declared.records import write_result_file
from dust_core.errors import DustError
from dust_eval.gates.announcement import announcement, duration_text

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    # Without the lock that a run of `ci` in this very folder leaves beside its pipeline.
    uncommitted = shutil.ignore_patterns("dvc.lock")
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines", ignore=uncommitted)
    lock: dict[str, Any] = {"schema": "2.0", "stages": {}}
    lock_stages(specs(), "small", specs().tasks, lock)
    (tmp_path / "dvc.lock").write_text(json.dumps(lock, indent=1))
    return tmp_path


def said(project: Path, *wanted: str, profile: str = "small", device: str | None = None) -> list:
    return list(announcement(project / "specs", profile, wanted, device))


def test_nothing_runs_where_all_ran_before(project: Path) -> None:
    (line,) = said(project, "P3")
    nothing = "P3 and what it needs, profile small: nothing runs, because all 10 tasks ran before"
    assert line.startswith(nothing)


def test_a_changed_value_names_the_tasks_that_run_and_why(project: Path) -> None:
    spec = project / "specs" / "v1" / "gates.yaml"
    spec.write_text(spec.read_text().replace("value: 50", "value: 40"))
    first, *rows = said(project, "P3")
    assert first == f"P3 and what it needs, profile small: {len(rows)} of 10 tasks run"
    assert 0 < len(rows) < 10
    assert all(" again (" in row and "changed" in row for row in rows)


def test_another_device_runs_again_what_is_measured(project: Path) -> None:
    first, *rows = said(project, "P3", device="another device\n")
    tasks = [row.split()[0] for row in rows]
    assert "KQ-3" in tasks and "P0-1" not in tasks
    assert all("it ran on another device" in row or " runs)" in row for row in rows)
    assert first == f"P3 and what it needs, profile small: {len(rows)} of 10 tasks run"


def test_the_times_of_results_that_are_here_are_added_up(project: Path) -> None:
    result = sample.result(exp_id("KQ-2"), task="KQ-3")
    finished = result.provenance.started + timedelta(minutes=7)
    proof = result.provenance.model_copy(update={"finished": finished})
    file = sample.result_file(result.model_copy(update={"provenance": proof}))
    write_result_file(project / "artifacts" / "small" / "kq_eval.json", file)
    first, *rows = said(project, "P3", device="another device\n")
    assert first.endswith(", about 7 min for the 1 that ran before")
    (row,) = (row for row in rows if row.split()[0] == "KQ-3")
    assert row.startswith("  KQ-3") and "evaluate-kq" in row and "took 7 min" in row


def test_a_profile_without_a_lock_runs_all_for_the_first_time(project: Path) -> None:
    first, *rows = said(project, "P0", "P1", profile="ci")
    assert first == f"P0, P1 and what they need, profile ci: {len(rows)} of {len(rows)} tasks run"
    assert [row.split()[0] for row in rows][:2] == ["P0-1", "P0-teacher"]
    assert all(row.endswith("for the first time") for row in rows)


def test_an_unknown_stage_is_one_message(project: Path) -> None:
    with pytest.raises(DustError, match="no stage 'P9'"):
        said(project, "P9")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_durations_read_as_a_person_says_them(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text
