"""NAME: ids and file names match the parameters."""

from collections.abc import Iterator

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import FileRule, ModelRule, TreeRule
from dust_core.declared.checks.subjects import SpecTree, TaskEntry, YamlFile
from dust_core.declared.reading.faults import ModelFault
from dust_core.declared.specs.models import TASK_KINDS
from dust_core.declared.specs.names import (
    DistillName,
    ExperimentName,
    FileName,
    PruneName,
    file_name,
    parse_file_name,
)
from dust_core.errors import DustError

_SCHEME = "*.pth, *.onnx, *.trt, *_eval.json, *_log.json or result_table.csv, by the scheme"


class ExpIdFollowsParameters(FileRule):
    """An experiment's id is `{stage}_{combo}_{keyparams}_{run}`, spelt from its parameters. It is
    declared so that a diff shows it. An id that differs from the parameters is refused: a copied
    task that kept its id would overwrite the record of another task.
    """

    id = "NAME001"
    title = "the declared exp_id differs from what the parameters spell"
    fix = "write the expected id, or correct the parameters"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for task in _tasks(subject):
            if task.model is None:
                continue
            derived = task.model.derived_exp_id(task.common)
            if task.model.exp_id != derived:
                yield self.finding(
                    task.place("exp_id"),
                    task.model.exp_id,
                    derived or "null: the task runs no experiment of its own",
                )


class OutputFollowsParameters(FileRule):
    """All files are named by one scheme: `*.pth *.onnx *.trt *_eval.json *_log.json` and
    `result_table.csv`. The names of students and pruned networks include their parameters, as in
    `student_fp32_t3b05.pth` for T = 3 and beta = 0.5.
    """

    id = "NAME002"
    title = "an output's name does not follow from the task's parameters"
    fix = "write the expected name; docs/specs.md lists the scheme"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for task in _tasks(subject):
            name = task.model.experiment(task.common) if task.model else None
            for loc, output in task.texts("outputs"):
                try:
                    parsed = parse_file_name(output)
                except DustError:
                    yield self.finding(task.place(*loc), output, _SCHEME)
                    continue
                expected = _network_name(name)
                if expected and parsed.role == expected.role and output != file_name(expected):
                    yield self.finding(task.place(*loc), output, file_name(expected))


class UniqueExpId(TreeRule):
    """Two tasks with one exp_id would write one record. A repetition needs the next `run`."""

    id = "NAME003"
    title = "two tasks declare one exp_id"
    fix = "give the second task the next run, e.g. run: 2 and ..._run2"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        first: dict[str, TaskEntry] = {}
        for task in subject.tasks:
            exp_id = task.raw.get("exp_id")
            if not isinstance(exp_id, str):
                continue
            owner = first.setdefault(exp_id, task)
            if owner is not task:
                yield self.finding(
                    task.place("exp_id"),
                    exp_id,
                    f"another id: {owner.id} has it, at {owner.place('exp_id')}",
                )


class TaskIdOfStage(ModelRule):
    """A task's id begins with its stage, and each stage has its file: `P0-` baseline, `K-` distill,
    `Q-` quant, `KQ-` kq, `P-` prune, `ABL-` ablation.
    """

    id = "NAME004"
    title = "the task's id does not belong to its file's stage"
    fix = "rename the task, or move it to the file of its stage"
    codes = ("string_pattern_mismatch",)

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        return fault.code in self.codes and fault.of_key and fault.loc[:2] == ("spec", "tasks")

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        stage = TASK_KINDS[subject.kind].STAGE
        place = subject.place(fault.loc, of_key=True)
        return self.finding(place, fault.loc[-1], f"{stage}-1 or the like in {subject.file.name}")


def _tasks(file: YamlFile) -> tuple[TaskEntry, ...]:
    return SpecTree(file.path, file.file.parent, (file,)).tasks


def _network_name(name: ExperimentName | None) -> FileName | None:
    if isinstance(name, DistillName):
        return FileName(role="student", of=name)
    return FileName(role="pruned", of=name) if isinstance(name, PruneName) else None


RULES = (ExpIdFollowsParameters(), OutputFollowsParameters(), UniqueExpId(), TaskIdOfStage())
