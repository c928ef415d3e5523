"""What was executed, and what says so."""

from pathlib import Path

from manipulations.case import case
from manipulations.clone import Clone

EXECUTIONS = "Executions"
DISTILL = "specs/v1/distill.yaml"
DIFF = "diff main HEAD"


@case(EXECUTIONS, "An executed task is changed under the same run.", DIFF, "K-1 was executed")
def executed_task(clone: Clone) -> None:
    clone.edit(DISTILL, "patience: 3", "patience: 5", after="    K-1:")


@case(
    EXECUTIONS, "The same, where no result is at hand.", "validate specs --ignore DATA", "EXEC001"
)
def executed_task_without_results(clone: Clone) -> None:
    for path in clone.path("artifacts/small").glob("*.json"):
        path.unlink()
    executed_task(clone)


@case(EXECUTIONS, "The lock forgets the execution, and the task is changed.", DIFF, "K-1")
def forgotten(clone: Clone) -> None:
    clone.drop("dvc.lock", "  K-1:", "  K-2:")
    executed_task(clone)


@case(EXECUTIONS, "The whole lock is removed.", DIFF, "K-1")
def lock_removed(clone: Clone) -> None:
    clone.path("dvc.lock").unlink()


@case(EXECUTIONS, "The lock is falsified first; the spec follows it.", DIFF, "K-1")
def falsified(clone: Clone) -> None:
    text = clone.path("dvc.lock").read_text()
    start = text.index("  K-1:")
    text = text[:start] + text[start:].replace("patience: 3", "patience: 5", 1)
    clone.path("dvc.lock").write_text(text)
    executed_task(clone)


@case(EXECUTIONS, "The lock names another output for the same run: the luckiest of many.",
      DIFF, "KQ-3")  # fmt: skip
def drawn_again(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        values["extra"]["again"] = True
    clone.consistent("kq_eval.json")


@case(EXECUTIONS, "The ledger loses a line.", DIFF, "ledger")
def ledger_shortened(clone: Clone) -> None:
    path = _ledger(clone)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))


@case(EXECUTIONS, "A line of the ledger says that a failure passed.", DIFF, "ledger")
def ledger_edited(clone: Clone) -> None:
    path = _ledger(clone)
    path.write_text(path.read_text().replace('"fail"', '"pass"', 1))


@case(EXECUTIONS, "The ledger is removed.", DIFF, "ledger")
def ledger_removed(clone: Clone) -> None:
    _ledger(clone).unlink()


@case(EXECUTIONS, "The ledger gains a line that no lock has.", DIFF, "ledger")
def ledger_invented(clone: Clone) -> None:
    path = _ledger(clone)
    last = path.read_text().splitlines()[-1]
    path.write_text(path.read_text() + last.replace('"run": ', '"run": 9').rstrip() + "\n")


def _ledger(clone: Clone) -> Path:
    return clone.path("executions/small/KQ-3.jsonl")


@case(EXECUTIONS, "An executed task is renamed.", DIFF, "K-2 was executed")
def renamed(clone: Clone) -> None:
    text = clone.path(DISTILL).read_text()
    clone.path(DISTILL).write_text(text.replace("K-2", "K-7"))


@case(EXECUTIONS, "An executed task is removed.", DIFF, "Q-4 was executed")
def removed(clone: Clone) -> None:
    clone.drop("specs/v1/quant.yaml", "    Q-4:", "")


@case(EXECUTIONS, "Another task takes the id of an executed experiment.", DIFF, "K_T5B05_run2")
def id_reused(clone: Clone) -> None:
    clone.edit(DISTILL, "exp_id: K_T5B05_run2", "exp_id: K_T5B05_run3", after="    K-2:")
    clone.edit(DISTILL, "run: 2", "run: 3", after="    K-2:")
    text = clone.path(DISTILL).read_text()
    start, end = text.index("    K-2:"), text.index("    K-3:")
    task = text[start:end].replace("    K-2:", "    K-5:").replace("run: 3", "run: 2")
    task = task.replace("_run3", "_run2")
    clone.path(DISTILL).write_text(text[:end] + task + text[end:])


@case(EXECUTIONS, "The next run of a task is proposed.", DIFF, "May be merged", code=0)
def next_run(clone: Clone) -> None:
    clone.edit(DISTILL, "patience: 3", "patience: 5", after="    K-2:")
    clone.edit(DISTILL, "run: 2", "run: 3", after="    K-2:")
    clone.edit(DISTILL, "exp_id: K_T5B05_run2", "exp_id: K_T5B05_run3", after="    K-2:")


@case(EXECUTIONS, "An experiment is added: one file.", DIFF, "May be merged", code=0)
def experiment_added(clone: Clone) -> None:
    text = clone.path(DISTILL).read_text()
    start, end = text.index("    K-2:"), text.index("    K-3:")
    task = text[start:end].replace("    K-2:", "    K-5:").replace("T: 5", "T: 7")
    task = task.replace("t5b05", "t7b05").replace("T5B05_run2", "T7B05_run1")
    clone.path(DISTILL).write_text(text[:end] + task.replace("run: 2", "run: 1") + text[end:])


@case(EXECUTIONS, "A title and a comment are corrected.", DIFF, "No change in meaning", code=0)
def wording(clone: Clone) -> None:
    clone.edit(DISTILL, "title: Distill at T = 5", "title: Distil at T = 5 # a comment")
