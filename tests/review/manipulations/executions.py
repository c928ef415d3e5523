"""What was executed, and what says so."""

from pathlib import Path

from declared_specs import exp_id, run

from manipulations.case import case
from manipulations.clone import Clone
from manipulations.stored import missed_task

EXECUTIONS = "Executions"
DISTILL = "specs/v1/distill.yaml"
K1, K2, KQ3 = exp_id("K-1"), exp_id("K-2"), run("KQ-3")
DIFF = "diff main HEAD"


@case(
    EXECUTIONS,
    "An executed task is changed under the same run.",
    DIFF,
    f"K-1 was executed as {K1} and changes (patience)",
)
def executed_task(clone: Clone) -> None:
    clone.edit(DISTILL, "patience: 3", "patience: 5", after="    K-1:")


@case(
    EXECUTIONS,
    "The same, where no result is at hand.",
    "validate specs --ignore DATA",
    "EXEC001 an executed task was changed",
)
def executed_task_without_results(clone: Clone) -> None:
    for path in clone.path("artifacts/small").glob("*.json"):
        path.unlink()
    executed_task(clone)


@case(
    EXECUTIONS,
    "The lock forgets the execution, and the task is changed.",
    DIFF,
    f"dvc.lock of small loses K-1 ({K1}): an execution does not vanish",
)
def forgotten(clone: Clone) -> None:
    clone.drop("dvc.lock", "  K-1:", "  K-2:")
    executed_task(clone)


@case(
    EXECUTIONS,
    "The whole lock is removed.",
    DIFF,
    "an execution does not vanish; restore their stages",
)
def lock_removed(clone: Clone) -> None:
    clone.path("dvc.lock").unlink()


@case(
    EXECUTIONS,
    "The lock is falsified first; the spec follows it.",
    DIFF,
    f"dvc.lock says otherwise what K-1 ({K1}) was executed with (patience)",
)
def falsified(clone: Clone) -> None:
    text = clone.path("dvc.lock").read_text()
    start = text.index("  K-1:")
    text = text[:start] + text[start:].replace("patience: 3", "patience: 5", 1)
    clone.path("dvc.lock").write_text(text)
    executed_task(clone)


@case(
    EXECUTIONS,
    "The lock names another output for the same run: the luckiest of many.",
    DIFF,
    f"KQ-3 (run {KQ3}) was executed again on the same inputs: take the next run: {KQ3 + 1}",
)
def drawn_again(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        values["extra"]["again"] = True
    clone.consistent("kq_eval.json")


@case(
    EXECUTIONS,
    "The ledger loses a line.",
    DIFF,
    "the ledger executions/small/KQ-3.jsonl loses or rewrites lines: it only grows",
)
def ledger_shortened(clone: Clone) -> None:
    path = _ledger(clone)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))


@case(
    EXECUTIONS,
    "A line of the ledger says that a failure passed.",
    DIFF,
    "the ledger executions/small/KQ-3.jsonl loses or rewrites lines: it only grows",
)
def ledger_edited(clone: Clone) -> None:
    path = _ledger(clone)
    path.write_text(path.read_text().replace('"fail"', '"pass"', 1))


@case(
    EXECUTIONS,
    "The ledger is removed.",
    DIFF,
    f"KQ-3 run {KQ3} (small) is in dvc.lock and not in the ledger",
)
def ledger_removed(clone: Clone) -> None:
    _ledger(clone).unlink()


@case(
    EXECUTIONS,
    "The ledger gains a line that no lock has.",
    DIFF,
    f"KQ-3 run 9{KQ3} (small) differs between dvc.lock and the ledger",
)
def ledger_invented(clone: Clone) -> None:
    path = _ledger(clone)
    last = path.read_text().splitlines()[-1]
    path.write_text(path.read_text() + last.replace('"run": ', '"run": 9').rstrip() + "\n")


def _ledger(clone: Clone) -> Path:
    return clone.path("executions/small/KQ-3.jsonl")


@case(
    EXECUTIONS,
    "A run that never ran is recorded: an old line again, with a higher number.",
    DIFF,
    f"ended no later than run {KQ3} before it, so it is that run",
)
def never_ran(clone: Clone) -> None:
    clone.next_run("specs/v1/kq.yaml", "KQ-3")
    clone.edit("dvc.lock", f"spec.tasks.KQ-3.run: {KQ3}\n", f"spec.tasks.KQ-3.run: {KQ3 + 1}\n")
    path = _ledger(clone)
    line = path.read_text().splitlines()[-1].replace(f'"run": {KQ3},', f'"run": {KQ3 + 1},')
    path.write_text(path.read_text() + line + "\n")


@case(
    EXECUTIONS,
    "A new line of the ledger claims a pass that its result does not have.",
    "validate specs --ignore DATA",
    "EXEC007 a result file is not the one of the ledger "
    f"found: verdict of {missed_task()} run {run(missed_task())}",
)
def verdict_claimed(clone: Clone) -> None:
    path = clone.path(f"executions/small/{missed_task()}.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    lines[-1] = lines[-1].replace('"verdict": "fail"', '"verdict": "pass"')
    path.write_text("".join(lines))


@case(
    EXECUTIONS,
    "An executed task is renamed.",
    DIFF,
    f"K-2 was executed as {K2} and is renamed to K-7",
)
def renamed(clone: Clone) -> None:
    text = clone.path(DISTILL).read_text()
    clone.path(DISTILL).write_text(text.replace("K-2", "K-7"))


@case(
    EXECUTIONS,
    "An executed task is removed.",
    DIFF,
    f"Q-4 was executed as Q-4 run {run('Q-4')} and is removed",
)
def removed(clone: Clone) -> None:
    clone.drop("specs/v1/quant.yaml", "    Q-4:", "")


@case(
    EXECUTIONS,
    "Another task takes the id of an executed experiment.",
    DIFF,
    f"K-2 was executed as {K2}, and K-5 takes that id for another experiment",
)
def id_reused(clone: Clone) -> None:
    before = clone.path(DISTILL).read_text()
    task = before[before.index("    K-2:") : before.index("    K-3:")]
    clone.next_run(DISTILL, "K-2")
    text = clone.path(DISTILL).read_text()
    end = text.index("    K-3:")
    taken = task.replace("    K-2:", "    K-5:")
    clone.path(DISTILL).write_text(text[:end] + taken + text[end:])


@case(
    EXECUTIONS,
    "The next run of a task is proposed.",
    DIFF,
    "Approving this approves 5 stages to run and 56.5 GPU hours",
    code=0,
)
def next_run(clone: Clone) -> None:
    clone.edit(DISTILL, "patience: 3", "patience: 5", after="    K-2:")
    clone.next_run(DISTILL, "K-2")


@case(
    EXECUTIONS,
    "An experiment is added: one file.",
    DIFF,
    "Approving this approves 1 stage to run and 40 GPU hours",
    code=0,
)
def experiment_added(clone: Clone) -> None:
    text = clone.path(DISTILL).read_text()
    start, end = text.index("    K-2:"), text.index("    K-3:")
    task = text[start:end].replace("    K-2:", "    K-5:").replace("T: 5", "T: 7")
    task = task.replace("t5b05", "t7b05").replace(K2, "K_T7B05_run1")
    task = task.replace(f"run: {run('K-2')}\n", "run: 1\n")
    clone.path(DISTILL).write_text(text[:end] + task + text[end:])


@case(EXECUTIONS, "A title and a comment are corrected.", DIFF, "No change in meaning.", code=0)
def wording(clone: Clone) -> None:
    clone.edit(DISTILL, "title: Distill at T = 5", "title: Distil at T = 5 # a comment")
