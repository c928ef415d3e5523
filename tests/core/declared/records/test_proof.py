"""Manipulations of stored results. Each edit is made well: means follow, and so does dvc.lock."""

import json
import shutil
from pathlib import Path

import pytest
import sample_results as sample
from tampered_results import K1, KQ3, TAMPERED, another_machine, put, scaled
from whole_profile import TASKS, Profile

from dust_core.declared.records import write_result_file
from dust_core.declared.records.proof import gathered, unproven


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    profile = Profile(tmp_path_factory.mktemp("whole"))
    profile.write()
    return profile


@pytest.fixture
def profile(template: Profile, tmp_path: Path) -> Profile:
    """Consistent results of P0, P1 and P3."""
    shutil.copytree(template.root, tmp_path, dirs_exist_ok=True)
    copy = Profile(tmp_path)
    copy.commit = template.commit
    return copy


def complaints(profile: Profile) -> list[str]:
    """Every fault, as `kind file: place: what is there, expected`."""
    faults = unproven(gathered(profile.folder, TASKS))
    return [f"{fault.kind} {str(fault).removesuffix(fault.fix)}"[:-2] for fault in faults]


def test_consistent_results_are_proven(profile: Profile) -> None:
    assert len(list(profile.folder.glob("*.json"))) == 8
    assert complaints(profile) == []


@pytest.mark.parametrize("name", TAMPERED)
def test_each_manipulation_is_seen(profile: Profile, name: str) -> None:
    task, edit, expected = TAMPERED[name]
    profile.edit(task, edit)
    faults = complaints(profile)
    assert any(expected in fault for fault in faults), faults
    assert not any(fault.startswith("history") for fault in faults) or expected.startswith("hist")


def test_an_edit_that_the_lock_does_not_follow_is_seen(profile: Profile) -> None:
    profile.edit("KQ-3", put("a note", "results", 0, "record", "notes"), resealed=False)
    (fault,) = complaints(profile)
    assert fault.startswith("history kq_eval.json: found a file of MD5 ")
    assert fault.endswith("as dvc.lock recorded it when KQ-3 ran")


def test_the_teacher_itself_cannot_be_lowered_alone(profile: Profile) -> None:
    profile.edit("P0-2", scaled(0, 0.85))
    copies = [fault for fault in complaints(profile) if fault.startswith("agreement")]
    assert len(copies) == 6  # in K-1 to K-4, KQ-2 and KQ-3
    assert all("from P0-2 in teacher_eval.json" in fault for fault in copies)


@pytest.mark.parametrize(
    ("name", "experiment", "seen"),
    [
        ("K_T3B05_run1_log.json", "K_T3B05_run1", False),
        (f"{K1}_new_log.json", K1, True),
        ("K_T3B05_run1_log.json", K1, True),
        (f"{K1}9_log.json", f"{K1}9", True),
    ],
)
def test_only_earlier_runs_may_stay(
    profile: Profile, name: str, experiment: str, *, seen: bool
) -> None:
    write_result_file(profile.folder / name, sample.result_file(sample.result(experiment)))
    expected = f"twice {name}: task: found a second result of K-1, expected {K1}_log.json alone"
    assert complaints(profile) == ([expected] if seen else [])


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "null"])
def test_a_damaged_file_of_the_device_names_none(text: str, profile: Profile) -> None:
    (profile.folder / "device.json").write_text(text)
    assert complaints(profile) == []


def test_a_latency_belongs_to_the_device_of_the_profile(profile: Profile) -> None:
    device = sample.CPU.model_dump()
    (profile.folder / "device.json").write_text(json.dumps(device))
    assert complaints(profile) == []
    profile.edit("KQ-3", another_machine)
    faults = [fault for fault in complaints(profile) if fault.startswith("task")]
    assert faults[0] == (
        f"task {KQ3}.provenance.device: "
        "found device eeeeeeeeeeee, expected cccccccccccc, as for small"
    )


@pytest.mark.parametrize(("change", "seen"), [(1e-5, False), (1e-4, True)])
def test_on_another_machine_a_baseline_agrees_within_rounding(
    profile: Profile, change: float, *, seen: bool
) -> None:
    profile.edit("KQ-3", another_machine)
    profile.edit("KQ-3", scaled(1, 1 + change))
    faults = [fault for fault in complaints(profile) if fault.startswith("agreement")]
    assert bool(faults) == seen
    assert all("within 6.1e-05 of its value" in fault for fault in faults)


def test_other_measuring_code_leaves_rounding_too(profile: Profile) -> None:
    code = put("a" * 64, "results", 1, "provenance", "measuring_code")
    profile.edit("KQ-3", scaled(1, 1 + 1e-5))
    assert "to the last digit" in complaints(profile)[0]
    profile.edit("KQ-3", code)
    assert complaints(profile) == []


def test_a_baseline_without_its_own_result_is_not_proven(profile: Profile) -> None:
    (profile.folder / "teacher_eval.json").unlink()
    faults = [fault for fault in unproven(gathered(profile.folder, TASKS)) if fault.absent]
    assert {fault.task for fault in faults} == {"K-1", "K-2", "K-3", "K-4", "KQ-2", "KQ-3"}
    assert faults[0].fix == "fetch it with 'dvc pull --allow-missing', or run P0-2"


def test_a_file_under_the_name_of_another_task_stands_for_neither(profile: Profile) -> None:
    shutil.copy(profile.folder / "kq_eval.json", profile.folder / "teacher_eval.json")
    profile.lock()
    faults = complaints(profile)
    assert any(
        fault.startswith("twice teacher_eval.json: task: found a second result") for fault in faults
    )
    assert any("its own result, of P0-2 in " in fault for fault in faults)


def test_without_git_commits_are_not_checked(profile: Profile) -> None:
    shutil.rmtree(profile.root / ".git")
    assert complaints(profile) == []
