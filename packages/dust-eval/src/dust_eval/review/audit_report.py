"""The outcome of an audit in Markdown, and the verdicts that the measured values give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.change.text import code, codes, table
from dust_core.declared.records import QUALITY_METRICS, Verdict
from dust_eval.gates import judge_task
from dust_eval.gates.judge import quantity_text

if TYPE_CHECKING:
    from dust_eval.measure.audit import Audit, Limit
    from dust_eval.review.audited import Laid

_LATENCY = (
    "Latency belongs to its device and cannot be audited on another: a latency is believed by its "
    "samples, its device and its commit."
)


@dataclass(frozen=True)
class Survivor:
    """A verdict by the recorded values, and the same by the measured ones."""

    recorded: Verdict
    measured: Verdict

    @property
    def lost(self) -> bool:
        """Whether a pass is none by the measured values."""
        return self.recorded.status == "pass" != self.measured.status


def surviving_verdicts(
    laid: "Laid", profile: str, audits: "Mapping[str, Sequence[Audit]]"
) -> tuple[Survivor, ...]:
    """Judge each audited task by the recorded and by the measured quality."""
    from dust_eval.measure.audit import replaced

    recorded = {**laid.others, **laid.files}
    measured = dict(recorded)
    for name, group in audits.items():
        by_result = {id(audit.result): replaced(audit) for audit in group}
        file = recorded[name]
        results = tuple(by_result.get(id(result), result) for result in file.results)
        measured[name] = file.model_copy(update={"results": results})
    survivors = []
    for name in audits:
        task = laid.task(name, profile)
        pairs = (judge_task(task, files).verdicts for files in (recorded, measured))
        survivors += [Survivor(*pair) for pair in zip(*pairs, strict=True)]
    return tuple(survivors)


def render(
    profile: str,
    audits: "Mapping[str, Sequence[Audit]]",
    absent: Mapping[str, str],
    survivors: Sequence[Survivor],
) -> str:
    """The audit as a section of the review."""
    return "\n\n".join(_paragraphs(profile, audits, absent, survivors)) + "\n"


def _paragraphs(
    profile: str,
    audits: "Mapping[str, Sequence[Audit]]",
    absent: Mapping[str, str],
    survivors: Sequence[Survivor],
) -> Iterator[str]:
    yield f"### Audit under {code(profile)}"
    if absent:
        yield "\n".join(f"- {code(task)}: {code(why)}" for task, why in absent.items())
    if not audits and not absent:
        yield "No result is to be audited."
        return
    rows = [_cells(task, audit) for task, group in audits.items() for audit in group]
    if rows:
        yield (
            "Measured again from the stored files. A difference is the largest of a pair, then "
            "that of the mean: of delta1 as it is, of the others relative to the record."
        )
        header = ("task", "role", "experiment", "precision", "file", "delta1 recorded", "measured")
        yield table((*header, *QUALITY_METRICS, "bound", "verdict"), rows)
    remarks = dict.fromkeys(
        f"- {code(_about(audit))}: {audit.remark}"
        for group in audits.values()
        for audit in group
        if audit.remark
    )
    if remarks:
        yield "\n".join(remarks)
    if rows:
        yield from _said_of(audits, survivors)
        yield _LATENCY
    elif not absent:
        yield "No result of it has figures that can be measured again."


def _about(audit: "Audit") -> str:
    provenance = audit.result.provenance
    precision = provenance.runtime.precision if provenance.runtime else "no runtime"
    return f"{', '.join(provenance.artifacts)} in {precision}"


def _cells(task: str, audit: "Audit") -> tuple[str, ...]:
    provenance, record = audit.result.provenance, audit.result.record
    delta1 = audit.differences.get("delta1")
    bound = audit.bound
    return (
        code(task),
        provenance.role,
        code(record.exp_id if record else ""),
        provenance.runtime.precision if provenance.runtime else "—",
        ", ".join(code(name) for name in provenance.artifacts),
        f"{record.delta1:.6f}" if record and record.delta1 is not None else "—",
        f"{delta1.measured:.6f}" if delta1 else "—",
        *(
            f"{audit.differences[metric].pair:.1e}, {audit.differences[metric].mean:.1e}"
            if metric in audit.differences
            else "—"
            for metric in QUALITY_METRICS
        ),
        f"delta1 {_limit(bound.delta1)}; others {_limit(bound.others)}" if bound else "—",
        audit.verdict if audit.verdict == "reproduced" else f"**{audit.verdict}**",
    )


def _limit(limit: "Limit") -> str:
    return f"{limit.pair:g}, {limit.mean:g}"


def _said_of(
    audits: "Mapping[str, Sequence[Audit]]", survivors: Sequence[Survivor]
) -> Iterator[str]:
    """What the measured values say of the verdicts, without those on what was not measured."""
    untested = [task for task, group in audits.items() if group and not _is_measured(group)]
    if untested:
        yield (
            f"Of {codes(untested)} no candidate was measured: whether its verdicts hold is not "
            "known."
        )
    tested = [pair for pair in survivors if pair.recorded.task not in untested]
    if tested:
        yield _verdicts_of(tested)


def _is_measured(group: "Sequence[Audit]") -> bool:
    """Whether a candidate among the audits of a task was measured."""
    return any(
        part.verdict != "not measured"
        for part in group
        if part.result.provenance.role == "candidate"
    )


def _verdicts_of(survivors: Sequence[Survivor]) -> str:
    changed = [pair for pair in survivors if pair.recorded.status != pair.measured.status]
    if not changed:
        every = "the verdict" if len(survivors) == 1 else f"all {len(survivors)} verdicts"
        return f"With the measured values, {every} would be the same."
    rows = (
        (
            code(pair.recorded.task),
            code(pair.recorded.gate),
            f"**{pair.recorded.status}**, {code(_value(pair.recorded))}",
            f"**{pair.measured.status}**, {code(_value(pair.measured))}",
        )
        for pair in changed
    )
    return table(("task", "line", "by the record", "by the measured values"), rows)


def _value(verdict: Verdict) -> str:
    return "no value" if verdict.value is None else quantity_text(verdict.value, verdict.unit)
