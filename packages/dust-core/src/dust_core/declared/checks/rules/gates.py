"""GATE: the lines that decide success, and the waivers that loosen them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from dust_core.declared.agreed.design import LINES, AgreedLine, agreed_failure, agreed_lines
from dust_core.declared.agreed.lines import (
    Direction,
    HeldLine,
    LineDifference,
    held_to,
    line_differences,
)
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import FileRule, ModelRule, TreeRule
from dust_core.declared.checks.subjects import SpecTree, TaskEntry, YamlFile
from dust_core.declared.reading.faults import ModelFault
from dust_core.declared.reading.wording import one_of
from dust_core.declared.specs.models import METRICS, Gate


class LoosenedLine(TreeRule):
    """A line lets more through than was agreed. Anybody may tighten a line. A loosened line needs a
    waiver beside it, so that those who approve the pull request see it:

        waiver: {reason: INT8 attention is slow on this device, owner: "@name", expires: 2027-01-31}
    """

    id = "GATE001"
    title = "a success line is loosened without a waiver"
    fix = "restore the agreed value, or add waiver: {reason, owner, expires}"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for agreed, held in _lines_that(subject, "loosened"):
            if held.gate.waiver is None:  # GATE002 judges its date
                file, gate = subject.gates[held.name]
                place = file.place(("spec", "gates", held.name, "value"))
                current = f"{held.name}: {gate.value:g} {gate.unit}"
                yield self.finding(place, current, str(agreed))


class WaiverExpired(FileRule):
    """A waiver is valid until its date. After that the line is loosened without a waiver."""

    id = "GATE002"
    title = "the waiver has expired"
    fix = "restore the agreed value, or have the waiver renewed with a reason"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        today = datetime.now(UTC).date()
        for name, gate in _gates_of(subject):
            if gate.waiver and gate.waiver.expires < today:
                place = subject.place(("spec", "gates", name, "waiver", "expires"))
                yield self.finding(place, gate.waiver.expires.isoformat(), "a date to come")


class WaiverEmpty(FileRule):
    """People read a waiver: its reason explains why, and its owner is the person or team
    responsible."""

    id = "GATE003"
    title = "the waiver gives no reason or no owner"
    fix = "say in a sentence why the line is loosened, and name who is responsible"
    HOLLOW = frozenset({"", "-", "?", "n/a", "na", "nobody", "none", "null", "tba", "tbd", "x"})

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        for name, gate in _gates_of(subject):
            if gate.waiver is None:
                continue
            for field, text in (("reason", gate.waiver.reason), ("owner", gate.waiver.owner)):
                words = text.strip().strip(".@").lower()
                if words in self.HOLLOW or (field == "reason" and len(words.split()) < 3):
                    place = subject.place(("spec", "gates", name, "waiver", field))
                    expected = "a sentence" if field == "reason" else "a person or a team"
                    yield self.finding(place, text, expected)


class WaiverNeedless(TreeRule):
    """A waiver beside a line that is as strict as agreed has no effect. If it stays, it silently
    permits the next change.
    """

    id = "GATE004"
    title = "a waiver is beside a line that is not loosened"
    fix = "remove the waiver"
    severity = "warning"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        loosened = {held.name for _, held in _lines_that(subject, "loosened")}
        for name, (file, gate) in subject.gates.items():
            if gate.waiver and name not in loosened:
                place = file.place(("spec", "gates", name, "waiver"), of_key=True)
                yield self.finding(place, name, "a waiver only beside a loosened line")


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
    """If some tasks miss a line, the tasks after them must stop, or another task must take over,
    because the tasks that follow cost GPU hours.
    """

    id = "GATE006"
    title = "a missed line would not lead to what was agreed"
    fix = "write the expected on_failure"
    requires = ("SPEC001", "SPEC004", "PROT015", "REF003")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for task in subject.tasks:
            agreed, action = agreed_failure(task.id, task.raw), task.raw.get("on_failure")
            if isinstance(action, dict):
                action = f"escalate: {action.get('escalate')}"
            if agreed and isinstance(action, str) and action != agreed:
                yield self.finding(task.place("on_failure"), action, agreed)


class OtherBaseline(TreeRule):
    """Drops are relative to the teacher, and the latency of a quantized student is relative to the
    FP32 student. A line with another baseline is a different line, however strict its number.
    """

    id = "GATE007"
    title = "a line has another baseline than agreed"
    fix = "write the expected task as the baseline"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for agreed, held in _lines_that(subject, "moved"):
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


def _gates_of(file: YamlFile) -> Iterator[tuple[str, Gate]]:
    if file.kind == "Gates" and file.model:
        yield from file.model.spec.gates.items()


def _differences(tree: SpecTree) -> Iterator[tuple[TaskEntry, LineDifference[AgreedLine]]]:
    """How the lines of each task differ from the lines agreed for it."""
    gates = {name: gate for name, (_, gate) in tree.gates.items()}
    for task in tree.tasks if gates else ():
        if isinstance(task.raw.get("gate"), list):
            agreed = agreed_lines(task.id, task.raw) or ()
            held = held_to(gates, (name for _, name in task.texts("gate")))
            for difference in line_differences(agreed, held):
                yield task, difference


def _lines_that(tree: SpecTree, direction: Direction) -> Iterator[tuple[AgreedLine, HeldLine]]:
    """The lines of gates.yaml that differ in this direction from an agreed line, each once."""
    seen: set[str] = set()
    for _, difference in _differences(tree):
        agreed, held = difference.old, difference.new
        if difference.direction == direction and agreed and held and held.name not in seen:
            seen.add(held.name)
            yield agreed, held


RULES = (
    LoosenedLine(),
    WaiverExpired(),
    WaiverEmpty(),
    WaiverNeedless(),
    LineDropped(),
    FailureIgnored(),
    OtherBaseline(),
    UnusedLine(),
    UnknownMetric(),
    LineAgainstMetric(),
)
