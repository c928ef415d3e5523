"""Success lines that are loosened, moved or dropped."""

from declared_specs import exp_id, run

from manipulations.case import case
from manipulations.clone import Clone

LINES = "Success lines"
GATES = "specs/v1/gates.yaml"
QUANT = "specs/v1/quant.yaml"
KQ = "specs/v1/kq.yaml"
PRUNE = "specs/v1/prune.yaml"
DIFF = "diff main HEAD"


@case(LINES, "A line's value is raised.", DIFF, "the line quality_kept is loosened")
def raised(clone: Clone) -> None:
    clone.edit(GATES, "value: 1.0", "value: 2.5")


@case(
    LINES, "The same, as a number that is hard to read.", DIFF, "the line quality_kept is loosened"
)
def raised_in_another_notation(clone: Clone) -> None:
    clone.edit(GATES, "value: 1.0", "value: 1.0e+1")


@case(
    LINES,
    "A task names a looser line than before.",
    DIFF,
    "the line quality_pruned is loosened (KQ-3) and no valid waiver says why",
)
def another_line(clone: Clone) -> None:
    clone.edit(KQ, "gate: [quality_kept,", "gate: [quality_pruned,", after="    KQ-3:")


@case(LINES, "A task no longer names a line.", DIFF, "latency_halved_student is dropped (KQ-3)")
def line_left_out(clone: Clone) -> None:
    clone.edit(KQ, "latency_halved_student, ", "", after="    KQ-3:")


@case(
    LINES,
    "INT8 need no longer be faster than the network in 16 bits.",
    DIFF,
    "the line faster_than_floats_student is dropped (KQ-3), which no waiver permits",
)
def floats_left_out(clone: Clone) -> None:
    clone.edit(KQ, ", faster_than_floats_student]", "]", after="    KQ-3:")


@case(LINES, "A line is compared with another baseline.", DIFF, "latency_halved_student is moved")
def other_baseline(clone: Clone) -> None:
    clone.edit(GATES, "baseline: K-4", "baseline: P0-2")


@case(
    LINES, "A line's operator is turned round.", DIFF, "'<=' is not '>=', the op of t_pair_p50_down"
)
def other_operator(clone: Clone) -> None:
    clone.edit(GATES, 'op: ">="\n      value: 50', "op: <=\n      value: 50")


@case(
    LINES,
    "P-3 is renamed to P-4 and names fewer lines.",
    DIFF,
    "the line smaller_by_quarter is dropped (P-4), which no waiver permits",
)
def renamed_and_relieved(clone: Clone) -> None:
    clone.edit(PRUNE, "    P-3:", "    P-4:")
    clone.edit(PRUNE, "gate: [quality_pruned, smaller_by_quarter]", "gate: [quality_pruned]")


@case(
    LINES,
    "P-3, the last task that is held to the size line, is deleted.",
    DIFF,
    "the line smaller_by_quarter is dropped (P-3), which no waiver permits",
)
def last_holder_deleted(clone: Clone) -> None:
    clone.drop(PRUNE, "    P-3:", "")
    clone.drop(GATES, "    smaller_by_quarter:", "    evidence_complete:")


@case(
    LINES,
    "One of two executed tasks of a kind that are held to a line is deleted.",
    DIFF,
    "| `quality_pruned` | **dropped** |",
)
def fewer_holders(clone: Clone) -> None:
    clone.drop(PRUNE, "    P-2:", "    P-3:")
    clone.edit(PRUNE, "needs: [P-1, P-2]", "needs: [P-1]")
    clone.edit(PRUNE, "pruned_r010.pth, pruned_r030.pth]", "pruned_r010.pth]", after="    P-3:")


@case(
    LINES,
    "A task of a stage is replaced by one of another kind, which has no lines.",
    DIFF,
    "expected prune or evaluate-pruned",
)
def another_kind(clone: Clone) -> None:
    clone.edit(PRUNE, "does: evaluate-pruned", "does: freeze-workload")


@case(
    LINES,
    "Q-4 escalates to a new task with a laxer line, which settles it.",
    DIFF,
    "GATE011 a task that may not settle another takes over from it",
)
def laxer_heir(clone: Clone) -> None:
    clone.edit(QUANT, "on_failure: record", "on_failure: {escalate: Q-5}", after="    Q-4:")
    text = clone.path(QUANT).read_text()
    heir = text[text.index("    Q-4:") :].replace("    Q-4:", "    Q-5:", 1)
    heir = heir.replace(
        "gate: [quality_kept, latency_halved, faster_than_floats]", "gate: [quality_pruned]"
    )
    heir = heir.replace("on_failure: {escalate: Q-5}", "on_failure: record")
    heir = heir.replace("quant_eval.json]", "quant_again_eval.json]", 1)
    clone.path(QUANT).write_text(text + heir)


@case(
    LINES,
    "A new task of an agreed kind is held to no quality line.",
    DIFF,
    "the line delta1_drop <= 1 % is dropped (K-5), which no waiver permits",
)
def new_task_without_line(clone: Clone) -> None:
    text = clone.path("specs/v1/distill.yaml").read_text()
    start, end = text.index("    K-2:"), text.index("    K-3:")
    task = text[start:end].replace("    K-2:", "    K-5:").replace("T: 5", "T: 7")
    task = task.replace("t5b05", "t7b05").replace(exp_id("K-2"), "K_T7B05_run1")
    task = task.replace(f"run: {run('K-2')}\n", "run: 1\n")
    task = task.replace("gate: [quality_kept]", "gate: [no_nan]")
    clone.path("specs/v1/distill.yaml").write_text(text[:end] + task + text[end:])


@case(
    LINES,
    "The teacher's line follows the teacher that was trained.",
    DIFF,
    "the line teacher_good is loosened (P0-3) and no valid waiver says why",
)
def teachers_line(clone: Clone) -> None:
    clone.edit(GATES, "value: 0.65", "value: 0.5")


@case(
    LINES,
    "A second file of lines overrides the first.",
    DIFF,
    "a second Gates; the first is in specs/v1/gates.yaml",
)
def second_file_of_lines(clone: Clone) -> None:
    text = clone.path(GATES).read_text()
    clone.path("specs/v1/zz_gates.yaml").write_text(text.replace("value: 1.0", "value: 5.0"))


@case(
    LINES,
    "A key is written twice, and the second value counts.",
    DIFF,
    "duplicate key 'value', first at 23:73",
)
def key_written_twice(clone: Clone) -> None:
    clone.edit(GATES, "value: 1.0,", "value: 1.0, value: 5.0,")


@case(LINES, "A line is tightened.", DIFF, "| `smaller_by_quarter` | **tightened** |", code=0)
def tightened(clone: Clone) -> None:
    clone.edit(GATES, "value: 25\n", "value: 30\n")
    clone.next_run(PRUNE, "P-3")
