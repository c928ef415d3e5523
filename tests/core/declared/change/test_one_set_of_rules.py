"""`dust validate` and `dust diff` refuse the same specs where no base is needed to see why."""

import pytest
from written_waivers import in_days, waiver

DISTILL = "specs/v1/distill.yaml"
QUANT = "specs/v1/quant.yaml"
PRUNE = "specs/v1/prune.yaml"
KQ = "specs/v1/kq.yaml"
BASELINE = "specs/v1/baseline.yaml"
GATES = "specs/v1/gates.yaml"
SMALL = "specs/profiles/small.yaml"
FULL = "specs/profiles/full.yaml"
LINE = "      value: 25\n"


def with_waiver(value: int, text: str) -> str:
    return f"      value: {value}\n      {text}\n"


MANIPULATIONS: dict[str, tuple[str, str, str, str]] = {
    "a laxer line": (GATES, "value: 1.0", "value: 1.1", "GATE001"),
    "a laxer line of the teacher": (GATES, "value: 0.65", "value: 0.5", "GATE001"),
    "a laxer exact line": (GATES, "value: 0,", "value: 5,", "GATE001"),
    "an expired waiver": (
        GATES, LINE, with_waiver(20, waiver(25, 20, expires="2020-01-01")), "GATE002",
    ),
    "a hollow waiver": (GATES, LINE, with_waiver(20, waiver(25, 20, reason="tbd")), "GATE003"),
    "an unused waiver": (GATES, LINE, with_waiver(25, waiver(25, 20)), "GATE004"),
    "a waiver too narrow": (GATES, LINE, with_waiver(20, waiver(25, 24)), "GATE012"),
    "a waiver from nowhere": (GATES, LINE, with_waiver(20, waiver(21, 20)), "GATE012"),
    "a waiver for a year": (
        GATES, LINE, with_waiver(20, waiver(25, 20, expires=in_days(365))), "GATE013",
    ),
    "a waiver of its owner": (
        GATES, LINE, with_waiver(20, waiver(25, 20, approved_by="@ana")), "GATE014",
    ),
    "a dropped line": (KQ, ", latency_halved_student]", "]", "GATE005"),
    "a dropped line of the teacher": (BASELINE, "[teacher_good]", "[no_nan]", "GATE005"),
    "a distillation that only records": (
        DISTILL, "on_failure: stop", "on_failure: record", "GATE006",
    ),
    "an engine that need not run": (
        QUANT, "[engine_runs]\n      on_failure: stop", "[engine_runs]\n      on_failure: record",
        "GATE006",
    ),
    "a quantization that only records": (QUANT, "{escalate: Q-2}", "record", "GATE006"),
    "an escalation to an engine": (QUANT, "{escalate: Q-2}", "{escalate: Q-3}", "GATE011"),
    "an escalation that nobody agreed": (
        PRUNE, "on_failure: record", "on_failure: {escalate: P-1}", "GATE011",
    ),
    "another baseline": (GATES, "baseline: K-4", "baseline: P0-2", "GATE007"),
    "an unknown line": (DISTILL, "gate: [quality_kept]", "gate: [quality]", "REF004"),
    "an unknown heir": (QUANT, "{escalate: Q-2}", "{escalate: Q-7}", "REF003"),
    "a need that is not there": (PRUNE, "needs: [P0-2]", "needs: [P0-9]", "REF001"),
    "an id of other parameters": (PRUNE, "rho: 0.3", "rho: 0.4", "NAME001"),
    "an easier profile": (FULL, "validation_pairs: 1000", "validation_pairs: 8", "PROF007"),
}  # fmt: skip


@pytest.mark.parametrize("case", MANIPULATIONS)
def test_both_verbs_refuse_it(project, case):
    path, old, new, rule = MANIPULATIONS[case]
    project.edit(path, old, new)
    assert rule in project.invalid()
    assert project.refusals()


def test_neither_refuses_an_experiment_that_is_added_by_the_rules(project):
    path = project.root / DISTILL
    block = path.read_text().partition("    K-1:\n")[2].partition("    K-2:\n")[0]
    block = block.replace("T: 3\n", "T: 4\n").replace("t3b05", "t4b05").replace("T3B05", "T4B05")
    path.write_text(f"{path.read_text().rstrip()}\n    K-5:\n{block}")
    assert project.invalid() == []
    assert project.refusals() == []


def test_specs_outside_the_usual_folders_are_reviewed_too(project):
    small = (project.root / SMALL).read_text()
    hidden = small.replace("name: small", "name: hidden").replace("pairs: 64", "pairs: 4")
    (project.root / "specs" / "hidden.yaml").write_text(hidden)
    project.commit()
    assert "PROF007" in project.invalid()
    for head in (None, "HEAD"):
        assert any("specs/hidden.yaml" in reason for reason in project.refusals(head))
