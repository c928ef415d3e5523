"""`dust gate` on manipulated results: what is not proven never passes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from declared_specs import exp_id
from whole_profile import TASKS, Edit, Profile

from dust_core.cli import main
from dust_core.declared.records import mean
from dust_eval.gates import with_verdicts
from dust_eval.measure.execution import write_results

Run = Callable[[], tuple[int, str]]
SPECS = Path(__file__).parents[3] / "specs"
INT8 = exp_id("KQ-2")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    profile = Profile(tmp_path_factory.mktemp("whole"))
    profile.write()
    return profile


@pytest.fixture
def profile(template: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Results of P0, P1 and P3 that pass; the project is the current folder."""
    shutil.copytree(template.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    copy = Profile(tmp_path)
    copy.commit = template.commit
    return copy


@pytest.fixture
def gate(capsys: pytest.CaptureFixture[str]) -> Run:
    """Judges P3: the exit code and the explanations."""

    def run() -> tuple[int, str]:
        with pytest.raises(SystemExit) as ending:
            main(["gate", "P3", "--specs", str(SPECS)])
        code = ending.value.code
        return (code if isinstance(code, int) else 0), capsys.readouterr().out

    return run


def delta1(factor: float, *indices: int) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        for index in indices:
            result = data["results"][index]
            values = [value * factor for value in result["provenance"]["per_pair"]["delta1"]]
            result["provenance"]["per_pair"]["delta1"] = values
            result["record"]["delta1"] = mean(values)

    return edit


def test_proven_results_pass(profile: Profile, gate: Run) -> None:
    rank = {"quality_rank": 1.0}
    profile.edit("KQ-1", lambda data: data["results"][0]["provenance"]["quantities"].update(rank))
    code, output = gate()
    assert code == 0
    assert "inconclusive" not in output and "fail" not in output


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            delta1(1.05, 0),
            "kq_eval.json: results[0].provenance.per_pair.delta1: found delta1 of pair 1: ",
        ),
        (
            delta1(0.9, 1),
            "kq_eval.json: results[1].provenance.per_pair.delta1: found delta1 of pair 1: ",
        ),
    ],
    ids=["better values", "a lowered teacher"],
)
def test_better_values_or_a_lower_teacher_decide_nothing(
    profile: Profile, gate: Run, edit: Edit, reason: str
) -> None:
    profile.edit("KQ-3", edit)
    code, output = gate()
    assert code == 1
    for line in ("quality_kept", "latency_halved_student"):
        (said,) = (text for text in output.splitlines() if text.startswith(f"KQ-3 {INT8}, {line}:"))
        assert f"{line}: inconclusive: {reason}" in said
        assert "to the last digit" in said and "run KQ-3 again" in said
    assert f"KQ-2 {INT8}, quality_kept: inconclusive" not in output


def test_values_that_fail_stay_in_sight(profile: Profile, gate: Run) -> None:
    profile.edit("KQ-3", delta1(0.9, 0))
    _, output = gate()
    assert "run KQ-3 again; 10.47 % is above 1 %" in output


def test_an_edited_file_that_the_lock_has_otherwise_decides_nothing(
    profile: Profile, gate: Run
) -> None:
    note = {"notes": "edited"}
    profile.edit("KQ-3", lambda data: data["results"][0]["record"].update(note), resealed=False)
    code, output = gate()
    assert code == 1
    restored = "restore it with 'dvc pull --force artifacts/small/kq_eval.json'"
    assert f"as dvc.lock recorded it when KQ-3 ran: {restored}" in output


def test_a_baseline_without_its_own_result_decides_nothing(profile: Profile, gate: Run) -> None:
    (profile.folder / "distill_log.json").unlink()
    code, output = gate()
    assert code == 1
    assert "its own result, of K-4 in artifacts/small, to compare with" in output
    assert "fetch it with 'dvc pull --allow-missing', or run K-4" in output


def test_many_faults_are_summed_up(profile: Profile, gate: Run) -> None:
    def edit(data: dict[str, Any]) -> None:
        for result in data["results"]:
            result["record"]["seed"] = 7

    profile.edit("KQ-3", edit)
    profile.edit("KQ-3", delta1(1.01, 0, 1))
    _, output = gate()
    assert "3 more, which 'dust validate' lists" in output


def test_a_draft_is_written_with_verdicts_that_decide_nothing(profile: Profile) -> None:
    task = TASKS["K-1"]
    path = profile.folder / task.result_files["K-1"]
    profile.edit("K-1", lambda data: data["results"][0]["provenance"].update(draft=True))
    from dust_core.declared.records import read_result_file

    file = read_result_file(path)
    assert {verdict.status for verdict in with_verdicts(task, file).verdicts} == {"inconclusive"}
    write_results(task, file.results)
    stored = json.loads(path.read_text())
    assert [verdict["status"] for verdict in stored["verdicts"]] == ["inconclusive"]
