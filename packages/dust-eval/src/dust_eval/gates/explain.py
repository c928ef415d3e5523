"""Where a verdict's figure comes from, and the command that makes it again: `dust gate --explain`.

Everything is read from the result of the task: its provenance holds what ran, on what, and when.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.records import Interval, Result, ResultFile, Verdict, read_result_file
from dust_core.declared.specs.models.gates import METRICS
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.tracked import PULL
from dust_eval.gates.announcement import duration_text
from dust_eval.gates.judge import quantity_text

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet
    from dust_eval.gates.render import StageReport

_SHOWN = 12  # of a digest
_WIDTH = 9


def explanations_of(
    report: "StageReport", line: str, specs: "SpecSet", artifacts: Path
) -> Iterator[str]:
    """Explain the verdicts that `line` names, each as a heading and a row for each fact.

    Args:
        report: the verdicts of a stage.
        line: a task (`KQ-3`), a line (`quality_kept`), both (`KQ-3:quality_kept`), or `all`.
        specs: the specs.
        artifacts: the folder with a folder of results for each profile.

    Raises:
        DustError: the stage has no such verdict.
    """
    every = [verdict for task in report.tasks for verdict in task.verdicts]
    asked = [verdict for verdict in every if _is_named(verdict, line)]
    if not asked:
        names = dict.fromkeys(f"{verdict.task}:{verdict.gate}" for verdict in every)
        raise DustError(
            f"{report.stage} has no verdict {line!r}",
            fix=f"name a task, a line or both, or 'all': {', '.join(names) or 'there is none yet'}",
        )
    for verdict in asked:
        where = artifacts / report.profile / specs.tasks[verdict.task].result_file(verdict.task)
        yield from _explained(verdict, specs, report.profile, where)


def _is_named(verdict: Verdict, line: str) -> bool:
    task, gate = verdict.task.lower(), verdict.gate.lower()
    return line.lower() in ("all", task, gate, f"{task}:{gate}")


def _explained(verdict: Verdict, specs: "SpecSet", profile: str, where: Path) -> Iterator[str]:
    value = "no value" if verdict.value is None else quantity_text(verdict.value, verdict.unit)
    asked = f"{verdict.op} {quantity_text(verdict.line, verdict.unit)}"
    yield f"{verdict.task} {verdict.gate}: {verdict.metric} is {value}, asked {asked}"
    yield _row("verdict", verdict.status + (f": {verdict.reason}" if verdict.reason else ""))
    yield _row("computed", METRICS[verdict.metric].meaning)
    if verdict.interval is not None:
        yield _row("interval", _interval(verdict.interval))
    again = f"dust run {verdict.task} --profile {profile}"
    if not where.is_file():
        yield _row("result", f"{where} is not here: '{PULL}' fetches it, or '{again}' makes it")
        return
    file = read_result_file(where)
    candidate = next((r for r in file.candidates if r.exp_id == verdict.exp_id), None)
    yield _row("result", f"{where}, SHA-256 {sha256_file(where)[:_SHOWN]}")
    if candidate is not None:
        yield from _figures(verdict, candidate, file)
        yield from _provenance(verdict, candidate)
    path = next(p for p, f in specs.files.items() if f is specs.task_files[verdict.task])
    yield _row("spec", f"{path}, digest {file.candidates[0].provenance.spec_digest[:_SHOWN]}")
    absent = [
        name for name in specs.tasks[verdict.task].inputs if not (where.parent / name).exists()
    ]
    if absent:
        needs = ", ".join(specs.tasks[verdict.task].needs)
        first = f"first {needs}, and all that comes before"
        yield _row("needs", f"{', '.join(absent)} (not here), so {first}")
    yield _row("again", again)


def _figures(verdict: Verdict, candidate: Result, file: ResultFile) -> Iterator[str]:
    """Both figures of a relative quantity, as far as the result holds them."""
    beside = {effect.metric: effect for effect in verdict.beside}
    baseline = next((r for r in file.results if r.exp_id == verdict.baseline), None)
    for field in METRICS[verdict.metric].fields:
        floats = ""
        ours: float | None = getattr(candidate.record, field, None)
        theirs: float | None = getattr(baseline.record, field, None) if baseline else None
        if (effect := beside.get(field)) is not None:
            ours, theirs = effect.candidate, effect.baseline
            floats = f" in {effect.against}" if effect.against else ""
        if ours is not None and theirs is not None:
            yield _row("from", f"{field} b = {theirs:.6g}{floats}, c = {ours:.6g}")


def _provenance(verdict: Verdict, candidate: Result) -> Iterator[str]:
    """What ran: the networks, the pairs, the moment, the commit, the device, the runtime."""
    ran = candidate.provenance
    files = (f"{name} {digest[:_SHOWN]}" for name, digest in sorted(ran.artifacts.items()))
    yield _row("candidate", f"{verdict.exp_id or verdict.task}: {', '.join(files) or 'no file'}")
    for task, reference in ran.baselines.items():
        if reference.exp_id == verdict.baseline:
            name = f"{reference.exp_id} of {task}"
            yield _row("baseline", f"{name}: {reference.sha256[:_SHOWN]}")
    pairs = max(map(len, ran.per_pair.values()), default=0)
    if pairs:
        yield _row("pairs", f"{pairs}, workload {ran.workload_sha256[:_SHOWN]}")
    if ran.latency is not None:
        yield _row("turns", f"{len(ran.latency.candidate_ms)}, both networks in one process")
    state = "with changes that are not in it" if ran.dirty else "clean"
    took = duration_text(ran.finished - ran.started)
    yield _row(
        "ran", f"{ran.started:%Y-%m-%d %H:%M} UTC for {took}, commit {ran.commit[:_SHOWN]}, {state}"
    )
    yield _row("device", f"{ran.device.name}, fingerprint {ran.device.fingerprint[:_SHOWN]}")
    if ran.runtime is not None:
        versions = ", ".join(f"{name} {version}" for name, version in ran.runtime.versions.items())
        yield _row("runtime", f"{versions}, {ran.runtime.precision}, {ran.runtime.threads} threads")


def _interval(interval: Interval) -> str:
    ends = f"[{interval.low:.4g}, {interval.high:.4g}] at {100 * interval.confidence:.3g} %"
    of = f"{interval.samples} samples"
    if interval.groups is not None:
        of += f" of {interval.groups} places"
    drawn = f"{interval.resamples} resamples of {of}, seed {interval.seed}"
    return f"{ends}: {interval.method}, {drawn}"


def _row(name: str, text: str) -> str:
    return f"  {name:<{_WIDTH}}  {text}"
