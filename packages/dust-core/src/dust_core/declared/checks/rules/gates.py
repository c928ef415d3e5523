"""GATE: the lines that decide success; rules/waivers.py has the rules on waivers."""

from collections.abc import Iterator

from dust_core.declared.agreed.design import (
    LINES,
    STRICTNESS,
    TAKES_OVER,
    AgreedLine,
    action_of,
    agreed_failure,
    agreed_lines,
    is_weaker,
)
from dust_core.declared.agreed.lines import (
    LETS_MORE_THROUGH,
    Direction,
    HeldLine,
    LineDifference,
    held_to,
    line_differences,
)
from dust_core.declared.agreed.protected import file_name
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import ModelRule, TreeRule
from dust_core.declared.checks.subjects import SpecTree, TaskEntry, YamlFile
from dust_core.declared.reading.faults import ModelFault
from dust_core.declared.reading.wording import one_of
from dust_core.declared.specs.models import METRICS
from dust_core.declared.specs.names import stage_of


class LoosenedLine(TreeRule):
    """A line lets more through than was agreed. Anybody may tighten a line. A loosened line needs a
    waiver beside it, so that those who approve the pull request see it:

        waiver:
          from: 50
          to: 45
          reason: INT8 attention is slow on this device
          owner: "@name"
          approved_by: "@owner-of-the-specs"
          expires: 2027-01-31
    """

    id = "GATE001"
    title = "a success line is loosened without a waiver"
    fix = "restore the agreed value, or add a waiver; docs/review.md shows one"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for agreed, held in lines_that(subject, "loosened"):
            if held.gate.waiver is None:  # rules/waivers.py judges it
                file, gate = subject.gates[held.name]
                place = file.place(("spec", "gates", held.name, "value"))
                current = f"{held.name}: {gate.value:g} {gate.unit}"
                yield self.finding(place, current, str(agreed))


class LineDropped(TreeRule):
    """A task names a gate for each line that was agreed for its `does`, whatever its id. Without
    the gate any value passes.
    """

    id = "GATE005"
    title = "a task is not held to a line that was agreed for it"
    fix = "add a gate on that metric to the task's gate list"
    requires = ("SPEC001", "SPEC004", "REF004")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for task, difference in _differences(subject):
            if difference.direction == "dropped":
                names = ", ".join(name for _, name in task.texts("gate"))
                held = f"{task.id}: {names or 'no gate'}"
                place = task.place("gate", of_key=True)
                yield self.finding(place, held, str(difference.old))
        for task in subject.tasks:
            if task.model and agreed_lines(task.id, task.raw) is None:
                place, fix = task.place("does"), "agree on its lines before it runs"
                yield self.finding(place, task.raw["does"], one_of(LINES), choices=LINES, fix=fix)


class FailureIgnored(TreeRule):
    """If a task misses a line, the tasks after it stop, another task takes over, or the miss is
    recorded, as was agreed for what the task does. A task may have a stricter action: `stop` is
    stricter than an escalation, and this than `record`.
    """

    id = "GATE006"
    title = "a missed line would not lead to what was agreed"
    fix = "write the expected on_failure"
    requires = ("SPEC001", "SPEC004", "PROT015", "REF003")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for task in subject.tasks:
            agreed, action = agreed_failure(task.id, task.raw), task.raw.get("on_failure")
            if is_weaker(action, agreed) and not _is_waived(subject, task):
                enough = STRICTNESS[STRICTNESS.index(agreed) :] if agreed else ()
                yield self.finding(task.place("on_failure"), action_of(action), one_of(enough))


class LaxerHeir(TreeRule):
    """The task that takes over settles the task that escalates to it. So it has at least the lines
    of that task, is of the same stage, and does what was agreed to take over: `qat` from `ptq`.
    """

    id = "GATE011"
    title = "a task that may not settle another takes over from it"
    fix = "escalate to a task of the expected kind with at least the same lines, or stop"
    requires = ("SPEC001", "SPEC004", "PROT015", "REF003", "REF004")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        gates = {name: gate for name, (_, gate) in subject.gates.items()}
        for task in subject.tasks:
            heir = subject.by_id.get(task.escalates_to)
            if heir is None:
                continue
            does, agreed = heir.raw.get("does"), TAKES_OVER.get(str(task.raw.get("does")))
            place = task.place("on_failure")
            if does != agreed or stage_of(heir.id) != stage_of(task.id):
                expected = (
                    f"a task of {stage_of(task.id)} that does {agreed}"
                    if agreed
                    else (f"no escalation: no task takes over from {task.raw.get('does')}")
                )
                yield self.finding(place, f"{heir.id}, which does {does}", expected)
                continue
            lines, of_heir = (
                held_to(gates, (name for _, name in side.texts("gate"))) for side in (task, heir)
            )
            for difference in line_differences(lines, of_heir):
                if difference.direction in LETS_MORE_THROUGH and difference.old:
                    held = difference.new.text if difference.new else "no such line"
                    yield self.finding(place, f"{heir.id}: {held}", difference.old.text)


class OtherBaseline(TreeRule):
    """Drops are relative to the teacher, and the latency of a quantized student is relative to the
    FP32 student. A line with another baseline is a different line, however strict its number.
    """

    id = "GATE007"
    title = "a line has another baseline than agreed"
    fix = "write the expected task as the baseline"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for agreed, held in lines_that(subject, "moved"):
            file, gate = subject.gates[held.name]
            place = file.place(("spec", "gates", held.name, "baseline"))
            expected = " or ".join(agreed.baselines)
            yield self.finding(place, gate.baseline, expected, choices=agreed.baselines)


class UnusedLine(TreeRule):
    """A line that no task names has no effect."""

    id = "GATE008"
    title = "no task names this line"
    fix = "name it in a task's gate list, or remove it"
    severity = "warning"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        used = {name for task in subject.tasks for _, name in task.texts("gate")}
        for name, (file, _) in subject.gates.items():
            if subject.tasks and name not in used:
                place = file.place(("spec", "gates", name), of_key=True)
                yield self.finding(place, name, "a line that a task names in its gate list")


class UnknownMetric(ModelRule):
    """A line binds a quantity that the evaluation computes."""

    id = "GATE009"
    title = "the line's metric does not exist"
    fix = "name a metric of the list; docs/specs.md describes each metric"
    codes = ("gate_metric",)

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        place = subject.place(fault.loc)
        return self.finding(place, fault.value, one_of(METRICS), choices=METRICS)


class LineAgainstMetric(ModelRule):
    """The metric of a line determines its unit, operator and kind of baseline: `delta1_drop` is in
    percent, with `<=`, against a baseline task.
    """

    id = "GATE010"
    title = "the line's unit, operator or baseline is not its metric's"
    fix = "write what the metric needs"
    codes = ("gate_unit", "gate_op", "gate_baseline")

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        expected = fault.expected
        if fault.code == "gate_baseline":
            absolute = "null: the metric is absolute"
            expected = "the id of a baseline task" if fault.value is None else absolute
        return self.finding(subject.place(fault.loc), fault.value, expected, choices=(expected,))


def _differences(tree: SpecTree) -> Iterator[tuple[TaskEntry, LineDifference[AgreedLine]]]:
    """How the lines of each task differ from the lines agreed for it."""
    gates = {name: gate for name, (_, gate) in tree.gates.items()}
    for task in tree.tasks if gates else ():
        if isinstance(task.raw.get("gate"), list):
            agreed = agreed_lines(task.id, task.raw) or ()
            held = held_to(gates, (name for _, name in task.texts("gate")))
            for difference in line_differences(agreed, held):
                yield task, difference


def _is_waived(tree: SpecTree, task: TaskEntry) -> bool:
    """Whether a waiver names the task's action on failure; other rules judge the waiver."""
    address = f"{file_name(task.file.model)}: {task.id}.on_failure" if task.file.model else ""
    return any(
        waiver.value == address
        for file in tree.of_kind("Gates")
        if file.model
        for waiver in file.model.spec.waivers
    )


def lines_that(tree: SpecTree, direction: Direction) -> Iterator[tuple[AgreedLine, HeldLine]]:
    """The lines of gates.yaml that differ in this direction from an agreed line, each once."""
    seen: set[str] = set()
    for _, difference in _differences(tree):
        agreed, held = difference.old, difference.new
        if difference.direction == direction and agreed and held and held.name not in seen:
            seen.add(held.name)
            yield agreed, held


RULES = (
    LoosenedLine(),
    LineDropped(),
    FailureIgnored(),
    OtherBaseline(),
    UnusedLine(),
    UnknownMetric(),
    LineAgainstMetric(),
    LaxerHeir(),
)
