"""An executed task is contradicted or not: validator and diff give the same answer."""

import re
import sys
from pathlib import Path

import pytest
from declared_specs import more_repeats

from dust_core.declared.agreed.executions import Attempt, contradictions
from dust_core.declared.specs import load_specs

sys.path.insert(0, str(Path(__file__).parent))
from executed_results import write_result

DISTILL = "specs/v1/distill.yaml"
GATES = "specs/v1/gates.yaml"
WORKLOAD = "specs/v1/workload.yaml"
SMALL = "specs/profiles/small.yaml"

Edit = tuple[str, str, str, str]
K1_AGAIN: list[Edit] = [
    (DISTILL, "K-1:", "run: 1", "run: 2"),
    (DISTILL, "K-1:", "K_T3B05_run1", "K_T3B05_run2"),
]
CASES: dict[str, tuple[list[Edit], bool]] = {
    "a parameter": ([(DISTILL, "K-1:", "patience: 3", "patience: 5")], True),
    "a parameter, in the next run": (
        [*K1_AGAIN, (DISTILL, "K-1:", "patience: 3", "patience: 5")], False,
    ),
    "a parameter and its id": (
        [
            (DISTILL, "K-1:", "T: 3", "T: 4"),
            (DISTILL, "K-1:", "K_T3B05_run1", "K_T4B05_run1"),
            (DISTILL, "K-1:", "t3b05", "t4b05"),
            (DISTILL, "K-4:", "t3b05", "t4b05"),
        ],
        True,
    ),
    "prose": ([(DISTILL, "K-1:", "expected_gpu_hours: 40", "expected_gpu_hours: 4")], False),
    "spelling": ([(DISTILL, "K-1:", "T: 3", "T: 3.0")], False),
    "a default written out": (
        [(DISTILL, "K-1:", "T: 3", "T: 3\n      beta_schedule: null")], False,
    ),
    "what tasks share": ([(DISTILL, "", "alpha: 0.2", "alpha: 0.3")], True),
    "a line": ([(GATES, "", "value: 1.0", "value: 0.5")], True),
    "the protocol": ([(WORKLOAD, "", *more_repeats())], True),
    "a word in the workload": ([(WORKLOAD, "", "; see data/LICENCES.md", "")], False),
    "the profile": ([(SMALL, "", "threads: 2", "threads: 4")], False),
    "a task without an id": ([(DISTILL, "K-4:", "on_failure: stop", "on_failure: record")], True),
    "a task without an id, in the next run": (
        [
            (DISTILL, "K-4:", "on_failure: stop", "on_failure: record"),
            (DISTILL, "K-4:", "run: 1", "run: 2"),
        ],
        False,
    ),
    "a task that was not executed": (
        [("specs/v1/prune.yaml", "P-1:", "on_failure: stop", "on_failure: record")], False,
    ),
}  # fmt: skip


@pytest.fixture
def executed(project):
    """The repository after P1 was executed, with the results of three tasks, and merged."""
    for task in ("K-1", "K-2", "K-4"):
        write_result(task)
    project.execute("P0-1", "P0-teacher", "P0-2", "K-1", "K-2", "K-3", "K-4")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit("executed")
    project.git("checkout", "--quiet", "-B", "work")
    return project


def answers(project) -> tuple[bool, bool]:
    """Whether the diff, and whether the validator, finds an execution contradicted."""
    diff = project.dust("diff", "main").out
    validated = project.dust("validate", "specs", "--ignore", "DATA").out
    return bool(re.search(r" (was executed as|were executed and change) ", diff)), bool(
        re.search(r": EXEC\d+ ", validated)
    )


@pytest.mark.parametrize("case", CASES)
def test_validator_and_diff_agree_on_an_executed_task(executed, case):
    edits, contradicted = CASES[case]
    for file, after, old, new in edits:
        executed.edit(file, old, new, after=after)
    assert answers(executed) == (contradicted, contradicted)


def test_they_agree_on_the_protocol_where_the_teacher_alone_was_executed(project):
    write_result("P0-teacher")
    project.execute("P0-1", "P0-teacher")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit("executed")
    project.git("checkout", "--quiet", "-B", "work")
    project.edit(WORKLOAD, *more_repeats())
    assert answers(project) == (True, True)


def test_they_agree_on_a_task_that_is_removed(executed):
    path = executed.root / DISTILL
    before, _, rest = path.read_text().partition("    K-2:\n")
    text = before + "    K-3:\n" + rest.partition("    K-3:\n")[2]
    path.write_text(
        text.replace("[K-1, K-2, K-3]", "[K-1, K-3]").replace("student_fp32_t5b05.pth, ", "")
    )
    assert answers(executed) == (True, True)


def test_they_agree_on_an_id_that_another_task_takes(executed):
    path = executed.root / DISTILL
    block = path.read_text().partition("    K-1:\n")[2].partition("    K-2:\n")[0]
    for file, after, old, new in (
        (DISTILL, "K-1:", "T: 3", "T: 4"),
        (DISTILL, "K-1:", "run: 1", "run: 2"),
        (DISTILL, "K-1:", "K_T3B05_run1", "K_T4B05_run2"),
        (DISTILL, "K-1:", "t3b05", "t4b05"),
        (DISTILL, "K-4:", "t3b05", "t4b05"),
    ):
        executed.edit(file, old, new, after=after)
    path.write_text(f"{path.read_text().rstrip()}\n    K-5:\n{block}")
    assert (
        " was executed as K_T3B05_run1, and K-5 takes that id" in executed.dust("diff", "main").out
    )
    validated = executed.dust("validate", "specs", "--ignore", "DATA").out
    assert re.search(r"EXEC001 .*\n +found: +K_T3B05_run1, executed", validated)


@pytest.mark.parametrize(
    ("attempt", "same", "events"),
    [
        (Attempt("K-1", 2, ("K_T3B05_run2",)), True, []),
        (Attempt("K-1", 2, ("K_T3B05_run2",)), False, [("K-1", "changed")]),
        (Attempt("K-1", 9, ("K_T3B05_run9",)), False, [("K-1", "changed")]),
        (Attempt("K-1", 1, ("K_T3B05_run1",)), False, []),
        (Attempt("K-9", 1, ()), True, [("K-9", "removed")]),
        (Attempt("K-2", 2, ("K_T3B05_run2",)), True, [("K-1", "reused")]),
        (Attempt("K-4"), False, [("K-4", "changed")]),
    ],
)
def test_an_attempt_is_contradicted_by_its_own_run_alone(attempt, same, events):
    tasks = load_specs(Path(__file__).parents[4] / "specs").tasks
    tasks = {
        name: task.model_copy(
            update={"run": 2, "exp_id": "K_T3B05_run2"} if name == "K-1" else {"run": 1}
        )
        for name, task in tasks.items()
    }
    assert list(contradictions(attempt, tasks, same)) == events
