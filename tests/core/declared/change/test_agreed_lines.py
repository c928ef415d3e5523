"""A line is loosened or not: validator and diff give the same answer on the same specs."""

import re
from pathlib import Path

import pytest
from written_waivers import waiver

from dust_core.declared.agreed.design import LINES, ON_FAILURE, TAKES_OVER, AgreedLine, agreed_lines
from dust_core.declared.agreed.lines import HeldLine, line_differences
from dust_core.declared.specs import load_specs
from dust_core.declared.specs.models import METRICS, TASK_KINDS, Gate

ROOT = Path(__file__).parents[4]
GATES = "specs/v1/gates.yaml"
DISTILL = "specs/v1/distill.yaml"
KQ = "specs/v1/kq.yaml"
HELD = waiver(25, 20)
LATE = waiver(25, 20, expires="2020-12-31")

CASES: dict[str, tuple[str, str, str, str, bool]] = {
    "at most, laxer": (GATES, "", "value: 1.0", "value: 2.5", True),
    "at most, stricter": (GATES, "", "value: 1.0", "value: 0.5", False),
    "at least, laxer": (GATES, "", "value: 25", "value: 20", True),
    "at least, stricter": (GATES, "", "value: 25", "value: 30", False),
    "exactly, another": (GATES, "no_nan", "value: 0", "value: 3", True),
    "laxer under a waiver": (GATES, "", "value: 25", f"value: 20\n      {HELD}", False),
    "laxer under a late waiver": (GATES, "", "value: 25", f"value: 20\n      {LATE}", True),
    "another baseline": (GATES, "", "baseline: K-4", "baseline: P0-2", True),
    "another baseline under a waiver": (
        GATES, "", "baseline: K-4", f"baseline: P0-2\n      {HELD}", True,
    ),
    "a laxer gate": (DISTILL, "K-1:", "gate: [quality_kept]", "gate: [quality_pruned]", True),
    "a laxer gate beside": (
        DISTILL, "K-1:", "gate: [quality_kept]", "gate: [quality_kept, quality_pruned]", False,
    ),
    "a gate left out": (KQ, "KQ-2:", ", latency_halved_student]", "]", True),
    "one more gate": (DISTILL, "K-1:", "[quality_kept]", "[quality_kept, curve_stable]", False),
    "another title": (GATES, "", "title: All 20 pairs", "title: Twenty pairs", False),
}  # fmt: skip


def is_refused(answer, rules: str) -> bool:
    """Whether the command refuses the specs for their lines, and for nothing else."""
    if "compared with" in answer.out:
        assert (answer.code == 1) == ("Not to be merged" in answer.out)
        return answer.code == 1
    errors = re.findall(r": ([A-Z]+\d+) .*(?<!\(warning\))$", answer.out, re.MULTILINE)
    assert all(re.match(rules, rule) for rule in errors), answer.out
    return bool(errors)


@pytest.mark.parametrize("case", CASES)
def test_validator_and_diff_agree_on_a_line(project, case):
    file, after, old, new, refused = CASES[case]
    project.edit(file, old, new, after=after)
    assert is_refused(project.dust("diff", "main"), "") == refused
    assert is_refused(project.dust("validate", "specs", "--ignore", "DATA"), "GATE") == refused


@pytest.mark.parametrize(
    ("gate", "refused"),
    [("quality_kept", False), ("quality_pruned", True), ("curve_stable", True)],
)
def test_a_new_task_is_held_to_the_lines_of_its_kind(project, gate, refused):
    path = project.root / DISTILL
    text = path.read_text()
    block = text.partition("    K-1:\n")[2].partition("    K-2:\n")[0]
    for old, new in (("T: 3\n", "T: 4\n"), ("t3b05", "t4b05"), ("T3B05", "T4B05")):
        block = block.replace(old, new)
    block = block.replace("gate: [quality_kept]", f"gate: [{gate}]")
    path.write_text(f"{text.rstrip()}\n    K-5:\n{block}")
    assert is_refused(project.dust("diff", "main"), "") == refused
    assert is_refused(project.dust("validate", "specs", "--ignore", "DATA"), "GATE") == refused


def test_a_task_gets_no_laxer_line_with_another_id(project):
    path = project.root / DISTILL
    text = path.read_text().replace("[K-1, K-2, K-3]", "[K-9, K-2, K-3]").replace("K-1", "K-9")
    before, mark, rest = text.partition("    K-9:\n")
    rest = rest.replace("gate: [quality_kept]", "gate: [quality_pruned]", 1)
    path.write_text(before + mark + rest)
    for file in ("ablation", "baseline", "kq", "quant"):
        other = project.root / f"specs/v1/{file}.yaml"
        other.write_text(other.read_text().replace("K-1\n", "K-9\n").replace("[K-1]", "[K-9]"))
    answer = project.dust("diff", "main")
    assert answer.code == 1
    assert "the line quality_pruned is loosened (K-9)" in answer.out


def test_the_design_has_lines_for_every_kind_of_task():
    kinds = {
        name
        for file in TASK_KINDS.values()
        for name in re.findall(
            r"'const': '([a-z-]+)', 'description': 'Executor", str(file.model_json_schema())
        )
    }
    assert kinds == set(LINES)
    assert set(ON_FAILURE) == kinds
    assert {*TAKES_OVER, *TAKES_OVER.values()} <= kinds
    for lines in LINES.values():
        for line in lines:
            assert METRICS[line.metric].relative == bool(line.baselines)


def test_the_specs_are_at_least_as_strict_as_the_design():
    specs = load_specs(ROOT / "specs")
    for task_id, task in specs.tasks.items():
        agreed = agreed_lines(task_id, task.model_dump())
        held = [HeldLine(name, specs.gates[name]) for name in task.gate]
        differences = line_differences(agreed, held)
        assert {d.direction for d in differences} <= {"added", "tightened"}, task_id


def line(value: float, baseline: str = "P0-2", metric: str = "delta1_drop") -> HeldLine:
    spec = METRICS[metric]
    return HeldLine(
        f"{metric}_{value:g}",
        Gate(
            title="a line",
            metric=metric,
            op=spec.op,
            value=value,
            unit=spec.unit,
            baseline=baseline,
        ),
    )


@pytest.mark.parametrize(
    ("held", "directions"),
    [
        ([line(1)], []),
        ([line(5), line(1)], []),
        ([line(2)], ["loosened"]),
        ([line(0.5)], ["tightened"]),
        ([line(1, "K-1")], ["moved"]),
        ([], ["dropped"]),
        ([line(9, metric="rmse_drop")], ["dropped", "added"]),
        ([line(1), line(1, "K-1")], ["added"]),
    ],
)
def test_base_and_design_are_compared_alike(held, directions):
    for reference in (line(1), AgreedLine("delta1_drop", 1, ("P0-2",))):
        answer = [difference.direction for difference in line_differences([reference], held)]
        assert answer == directions


def test_a_line_may_be_taken_against_any_of_the_agreed_baselines():
    agreed = [AgreedLine("t_pair_p50_down", 50, ("K-4", "KQ-1"))]
    for baseline in ("K-4", "KQ-1"):
        assert not list(line_differences(agreed, [line(50, baseline, "t_pair_p50_down")]))
    [difference] = line_differences(agreed, [line(60, "P0-2", "t_pair_p50_down")])
    assert difference.direction == "moved"
