"""`dust diff` on values that are no lines and decide what passes."""

import json

import pytest
from declared_specs import more_repeats, specs
from written_waivers import in_days, loosened

SMALL = "specs/profiles/small.yaml"
WORKLOAD = "specs/v1/workload.yaml"
GATES = "specs/v1/gates.yaml"
PRUNE = "specs/v1/prune.yaml"
QUANT = "specs/v1/quant.yaml"
DISTILL = "specs/v1/distill.yaml"
ABLATION = "specs/v1/ablation.yaml"
EPOCHS = specs().profile("small").training.teacher[0].epochs

EASIER = {
    "threads": (SMALL, "threads: 2", "threads: 4", "threads"),
    "runtime": (SMALL, "name: openvino", "name: onnxruntime", "runtime"),
    "device": (SMALL, "count: 1", "count: 2", "device"),
    "teacher": (SMALL, "enc_depth: 6", "enc_depth: 4", "teacher.network"),
    "teacher's recipe": (SMALL, f"epochs: {EPOCHS}", f"epochs: {EPOCHS + 1}", "training.teacher"),
    "validation pairs": (SMALL, "validation_pairs: 64", "validation_pairs: 16", "validation_pairs"),
}
"""Changes of the embedded profile, with the key that the report names."""

OWN = {
    "rho": (PRUNE, "rho: 0.3", "rho: 0.2", "P-2.rho", ["P-2"]),
    "criterion": (
        PRUNE, "criterion: l1", "criterion: taylor", "common.criterion", ["P-1", "P-2", "P-3"],
    ),
    "student": (DISTILL, "depth: 0.3", "depth: 0.2", "common.student.depth", None),
    "keep-list": (QUANT, "postprocess]", "postprocess, patch_embed]", "common.keep_list", None),
    "calibration": (QUANT, "_images: 512", "_images: 600", "Q-1.calibration_images", ["Q-1"]),
    "variants": (ABLATION, "{calibration_images: 256}, ", "", "ABL-2.variants", ["ABL-2"]),
    "on_failure": (PRUNE, "on_failure: stop", "on_failure: record", "P-1.on_failure", ["P-1"]),
    "on_failure of a builder": (
        QUANT, "gate: [engine_runs]\n      on_failure: stop",
        "gate: [engine_runs]\n      on_failure: record", "Q-3.on_failure", ["Q-3"],
    ),
}  # fmt: skip
"""Changes of what tasks declare, with the key, and the tasks that need a new run."""


def protected(project) -> dict[str, dict]:
    answer = project.dust("diff", "main", "--format", "json")
    return {change["path"]: change for change in json.loads(answer.out)["protected"]}


def waive(project, *items: str) -> None:
    project.edit(GATES, "  gates:\n", f"  waivers:\n{''.join(items)}  gates:\n")


@pytest.mark.parametrize("case", EASIER)
def test_an_easier_profile_is_refused_once_something_was_executed_under_it(project, case):
    path, old, new, key = EASIER[case]
    project.execute("P0-teacher", "P0-2", "K-1")
    project.merge()
    project.edit(path, old, new)
    change = protected(project)[f"{SMALL}: {key}"]
    assert change["direction"] == "easier"
    assert {"K-1"} <= set(change["without_run"])
    assert f"{SMALL}: {key} changes so that passing is easier" in " ".join(project.refusals())


@pytest.mark.parametrize("case", EASIER)
def test_a_profile_under_which_nothing_was_executed_may_change_in_sight(project, case):
    path, old, new, key = EASIER[case]
    project.edit(path, old, new)
    assert protected(project)[f"{SMALL}: {key}"]["direction"] == "easier"
    assert project.refusals() == []


def test_only_tasks_that_read_the_value_need_a_run(project):
    project.execute("P0-1", "P0-2", "K-1")
    project.merge()
    project.edit(SMALL, "threads: 2", "threads: 4")
    assert protected(project)[f"{SMALL}: threads"]["tasks"] == ["P0-2", "K-1"]


def test_more_pairs_are_harder_and_need_nothing(project):
    project.execute("K-1")
    project.merge()
    project.edit(SMALL, "validation_pairs: 64", "validation_pairs: 128")
    change = protected(project)[f"{SMALL}: validation_pairs"]
    assert (change["direction"], change["permitted_by"], change["refused"]) == (
        "harder", None, False,
    )  # fmt: skip
    assert project.refusals() == []


def test_a_profile_is_not_made_unquotable_while_its_figures_bind(project):
    project.execute("K-1")
    project.merge()
    project.edit(SMALL, "quotable: true", "quotable: false")
    assert project.refusals() == [
        f"{SMALL}: quotable changes so that passing is easier (nobody is bound by figures that "
        "are not quoted): restore it, or write the next run of K-1",
        "the profile small has executions and is not quotable: they bind as long as their figures "
        "may be quoted; restore the profile",
    ]


def test_a_profile_with_executions_is_not_removed(project):
    project.execute("K-1")
    project.merge()
    (project.root / SMALL).unlink()
    assert any(f"{SMALL}: quotable changes so" in reason for reason in project.refusals())


@pytest.mark.parametrize("case", OWN)
def test_an_easier_task_needs_its_next_run(project, case):
    path, old, new, key, tasks = OWN[case]
    project.edit(path, old, new)
    change = protected(project)[f"{path}: {key}"]
    assert change["direction"] == "easier"
    if tasks is not None:
        assert change["without_run"] == tasks
    assert any(
        reason.startswith(f"{path}: {key} changes so that passing is easier")
        for reason in project.refusals()
    )


def test_the_next_run_may_be_easier(project):
    project.edit(PRUNE, "rho: 0.3", "rho: 0.2")
    project.edit(PRUNE, "run: 1\n      exp_id: P_r030_run1", "run: 2\n      exp_id: P_r020_run2")
    project.edit(PRUNE, "[pruned_r030.pth]", "[pruned_r020.pth]")
    project.edit(PRUNE, "pruned_r030.pth]", "pruned_r020.pth]")
    assert protected(project)[f"{PRUNE}: P-2.rho"]["permitted_by"] == "run"
    assert project.refusals() == []


def test_a_task_does_not_become_easier_under_another_id(project):
    path = project.root / PRUNE
    path.write_text(path.read_text().replace("P-2", "P-5").replace("rho: 0.3", "rho: 0.2"))
    change = protected(project)[f"{PRUNE}: P-5.rho"]
    assert (change["was"], change["is_"], change["refused"]) == (0.3, 0.2, True)


def test_a_harder_task_is_only_shown(project):
    project.edit(DISTILL, "on_failure: record", "on_failure: stop")
    change = protected(project)[f"{DISTILL}: K-3.on_failure"]
    assert (change["direction"], change["refused"]) == ("harder", False)
    assert project.refusals() == []


def test_an_easier_workload_needs_new_runs_of_all_that_was_executed(project):
    project.execute("K-1")
    project.merge()
    project.edit(WORKLOAD, *more_repeats())
    project.edit(WORKLOAD, "confidence: 0.95", "confidence: 0.9")
    changes = protected(project)
    assert changes[f"{WORKLOAD}: timing.repeats"]["direction"] == "harder"
    assert changes[f"{WORKLOAD}: quality.confidence"]["without_run"] == ["K-1"]


class TestAWaiverOfAValue:
    """A waiver names the value, from where to where, and permits nothing else."""

    ADDRESS = f"{SMALL}: threads"

    @pytest.fixture
    def easier(self, project):
        project.execute("P0-1", "P0-teacher", "P0-2")
        project.merge()
        project.edit(SMALL, "threads: 2", "threads: 4")
        return project

    def test_permits_the_change(self, easier):
        waive(easier, loosened(self.ADDRESS, 2, 4))
        assert easier.refusals() == []
        assert protected(easier)[self.ADDRESS]["permitted_by"]["approved_by"]
        assert easier.invalid() == []

    @pytest.mark.parametrize(
        ("item", "rule"),
        [
            (loosened(ADDRESS, 2, 3), "GATE012"),
            (loosened(ADDRESS, 2, 4, expires=in_days(-1)), "GATE002"),
            (loosened(ADDRESS, 2, 4, expires=in_days(200)), "GATE013"),
            (loosened(ADDRESS, 2, 4, approved_by="@ana"), "GATE014"),
            (loosened(ADDRESS, 4, 4), "GATE004"),
            (loosened(f"{SMALL}: workload_pairs", 20, 10), "GATE012"),
            (loosened(f"{SMALL}: fill_in", 2, 4), "GATE004"),
        ],
    )
    def test_of_another_kind_permits_nothing(self, easier, item, rule):
        waive(easier, item)
        assert easier.refusals()
        if "workload_pairs" not in item:
            assert rule in easier.invalid()

    def test_departs_from_the_value_at_the_base(self, easier):
        waive(easier, loosened(self.ADDRESS, 3, 4))
        assert [reason for reason in easier.refusals() if "passing is easier" in reason]

    def test_does_not_go_while_the_value_stays(self, easier):
        waive(easier, loosened(self.ADDRESS, 2, 4))
        easier.merge()
        path = easier.root / GATES
        text = path.read_text()
        path.write_text(text.replace(f"  waivers:\n{loosened(self.ADDRESS, 2, 4)}", ""))
        assert [reason for reason in easier.refusals() if "passing is easier" in reason]
        easier.edit(SMALL, "threads: 4", "threads: 2")
        assert easier.refusals() == []
