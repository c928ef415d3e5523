"""VERD: a verdict agrees with its own numbers and with gates.yaml."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import WHOLE_RESULT, ArtifactsRule, ResultRule, of_verdict
from dust_core.declared.checks.rules.proofs import unable_to_prove
from dust_core.declared.checks.rules.provenance import ProvenanceRule
from dust_core.declared.checks.subjects import Artifacts, ResultJson
from dust_core.declared.reading.faults import expectation
from dust_core.declared.specs.models import METRICS
from dust_core.declared.specs.models.gates import meets

if TYPE_CHECKING:
    from dust_core.declared.records import Result, ResultFile, Status, Verdict

_CLOSE = {"rel_tol": 1e-9, "abs_tol": 1e-12}
_Contradiction = tuple[str, str, str]
"""The verdict's wrong field, its value, and the value that follows from the numbers."""


class VerdictAgainstValue(ResultRule):
    """A verdict follows from its own numbers. Lines can bind its metric, and its unit and operator
    are those of the metric. It passes if its value meets the line and fails if not. Its margin is
    the distance between value and line. A latency is inconclusive if its interval contains the line
    or is absent. A result of a draft or of a dirty working tree may be inconclusive whatever its
    value. A quantity that the task measured itself equals the one in the result's provenance. A
    change is that between candidate and baseline, where the file has both.
    """

    id = "VERD001"
    title = "a verdict contradicts its own value"
    fix = "compute it again: dust gate STAGE"

    def unable(self, subject: ResultJson) -> str:
        judged = subject.model or any(of_verdict(fault) for fault in subject.faults)
        return "" if judged else "its model refuses it"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for fault in subject.faults:
            if of_verdict(fault):
                place = subject.place(fault.loc)
                right = expectation(fault)
                yield self.finding(place, fault.value, right, choices=fault.choices)
        for index, verdict in enumerate(subject.model.verdicts if subject.model else ()):
            for field, says, right in _contradictions(verdict, subject.model):
                place = subject.place(("verdicts", index, field))
                choices = METRICS if field == "metric" else ()
                yield self.finding(place, says, right, choices=choices)


def _contradictions(verdict: "Verdict", file: "ResultFile | None") -> Iterator[_Contradiction]:
    metric = METRICS.get(verdict.metric)
    if metric is None:
        yield "metric", verdict.metric, "a metric that lines bind"
        return
    if (verdict.op, verdict.unit) != (metric.op, metric.unit):
        says = f"{verdict.metric} {verdict.op} ... {verdict.unit}"
        yield "op", says, f"{verdict.metric} {metric.op} ... {metric.unit}"
        return
    if file is not None:
        yield from _against_results(verdict, file, relative=metric.relative)
    if verdict.value is None:
        if verdict.margin is not None:
            yield "margin", f"{verdict.margin:g}", "null, as the value is"
        return
    met = meets(verdict.value, verdict.op, verdict.line)
    right = _statuses(verdict, file)
    if verdict.status not in right:
        says = f"{verdict.value:g} {verdict.op} {verdict.line:g}"
        if _sampled(verdict):
            interval = verdict.interval
            says += f", interval {interval.low:g} to {interval.high:g}" if interval else ", once"
        yield "status", f"{verdict.status}: {says}", right[0]
    yield from _margin(verdict, met=met)


def _statuses(verdict: "Verdict", file: "ResultFile | None") -> "tuple[Status, ...]":
    """The status that value, line and interval give, then others that the result permits."""
    from dust_core.declared.records import status_of, straddles, uncommitted

    value, op, line = verdict.value or 0.0, verdict.op, verdict.line
    doubted = _sampled(verdict) and straddles(verdict.interval, value, op, line)
    candidate = None if file is None else _candidate(verdict, file)
    permitted = candidate is not None and uncommitted(candidate.provenance)
    status = status_of(value, op, line, doubted=doubted)
    return (status, "inconclusive") if permitted else (status,)


def _sampled(verdict: "Verdict") -> bool:
    from dust_core.declared.records.verdict import SAMPLED

    return verdict.metric in SAMPLED


def _candidate(verdict: "Verdict", file: "ResultFile") -> "Result | None":
    """The result that a verdict is on."""
    same = (result for result in file.candidates if result.exp_id == verdict.exp_id)
    return next(same, None)


def _margin(verdict: "Verdict", *, met: bool) -> Iterator[_Contradiction]:
    distance = abs((verdict.value or 0.0) - verdict.line)
    right = distance if met else -distance
    if verdict.margin is None or not math.isclose(verdict.margin, right, **_CLOSE):
        says = "null" if verdict.margin is None else f"{verdict.margin:g}"
        yield "margin", says, f"{right:g}, from the value to the line"


def _against_results(
    verdict: "Verdict", file: "ResultFile", *, relative: bool
) -> Iterator[_Contradiction]:
    if verdict.task != file.task:
        yield "task", verdict.task, f"{file.task}, whose result this is"
    candidate = _candidate(verdict, file)
    if candidate is None:
        ids = ", ".join(str(result.exp_id) for result in file.candidates)
        yield "exp_id", str(verdict.exp_id), f"the experiment of a candidate: {ids}"
    elif not relative and verdict.value is not None:
        measured = candidate.provenance.quantities.get(verdict.metric)
        if measured is None or not math.isclose(measured, verdict.value, **_CLOSE):
            right = "null, as it was not measured" if measured is None else f"{measured:g}"
            yield "value", f"{verdict.metric}: {verdict.value:g}", right
    elif verdict.value is not None:
        right_value = _change(verdict, candidate, file)
        if right_value is not None and not math.isclose(right_value, verdict.value, **_CLOSE):
            yield "value", f"{verdict.metric}: {verdict.value:g}", f"{right_value:g}"


def _change(verdict: "Verdict", candidate: "Result", file: "ResultFile") -> float | None:
    """The change that the figures of this file give, in %; None where they are in another."""
    from dust_core.declared.records import HIGHER_IS_BETTER, percentile

    fields = METRICS[verdict.metric].fields
    beside = (result for result in file.results if result.provenance.role == "baseline")
    baseline = next((result for result in beside if result.exp_id == verdict.baseline), None)
    turns = candidate.provenance.latency
    pairs: list[tuple[float | None, float | None]] = []
    if METRICS[verdict.metric].sampled:
        if turns is not None and turns.baseline_ms is not None:
            timed = [turns.baseline_ms]
            if METRICS[verdict.metric].any_float and baseline is not None:
                others = (r.provenance.latency for r in file.references_of(baseline))
                timed += [other.candidate_ms for other in others if other is not None]
            pairs = [(percentile(turns.candidate_ms, 50), min(percentile(t, 50) for t in timed))]
    elif baseline is not None:
        pairs = [
            (getattr(candidate.record, name, None), getattr(baseline.record, name, None))
            for name in fields
        ]
    changes = [100 * (theirs - ours) / theirs for ours, theirs in pairs if ours and theirs]
    if not changes or len(changes) < len(fields):
        return None
    return max(changes) if HIGHER_IS_BETTER.get(fields[0], True) else -changes[0]


class VerdictAgainstLine(ProvenanceRule):
    """A verdict holds the line it was judged by. If gates.yaml now has another line, or none of
    that name, the verdict is out of date.
    """

    id = "VERD002"
    title = "a verdict was judged by a line that differs from gates.yaml"
    fix = "compute it again: dust gate STAGE"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        gates = subject.specs.gates if subject.specs else {}
        for index, verdict in enumerate(subject.model.verdicts if subject.model else ()):
            place = subject.place(("verdicts", index, "gate"))
            if verdict.gate not in gates:
                yield self.finding(place, verdict.gate, "a line of gates.yaml", choices=gates)
                continue
            _, gate = gates[verdict.gate]
            judged_by = (verdict.metric, verdict.op, verdict.line, verdict.unit)
            if judged_by != (gate.metric, gate.op, gate.value, gate.unit):
                yield self.finding(
                    subject.place(("verdicts", index, "line")),
                    f"{verdict.metric} {verdict.op} {verdict.line:g} {verdict.unit}",
                    f"{gate.metric} {gate.op} {gate.value:g} {gate.unit}",
                )


class VerdictWithoutProof(ArtifactsRule):
    """A verdict passes only a result that decides. Where figures may be quoted, the result of a
    draft or of a dirty working tree does not, and neither does a result that is not proven, which
    PROOF reports. Results that do not name their measuring code were judged before this rule
    existed. PROV005 warns of them where their working tree was dirty, and `dust gate` judges them
    anew.
    """

    id = "VERD003"
    title = "a verdict passes a result that decides nothing"
    fix = "run the task again from an approved commit: its verdict is then computed anew"
    requires = (*WHOLE_RESULT, "PROOF")

    def unable(self, subject: Artifacts) -> str:
        return unable_to_prove(subject)

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        for result in subject.results:
            for index, verdict in enumerate(result.model.verdicts if result.model else ()):
                why = _uncommitted(subject, result, verdict)
                if verdict.status == "pass" and why:
                    place = result.place(("verdicts", index, "status"))
                    yield self.finding(place, "pass", f"inconclusive: {why}")


def _uncommitted(subject: Artifacts, result: ResultJson, verdict: "Verdict") -> str | None:
    """Why a result that may be quoted does not decide; None where it does."""
    from dust_core.declared.records import uncommitted

    candidate = _candidate(verdict, result.model) if result.model else None
    specs = subject.specs.spec_set if subject.specs else None
    if candidate is None or specs is None or not specs.profiles[subject.folder.name].quotable:
        return None
    if candidate.provenance.measuring_code is None and not candidate.provenance.draft:
        return None
    return uncommitted(candidate.provenance)


RULES = (VerdictAgainstValue(), VerdictAgainstLine(), VerdictWithoutProof())
