"""A revision's results validated by the rules and judged by its own specs."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.change.git import Repository
from dust_core.declared.checks import Finding, validate
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import ResultFile, Verdict, read_result_file
from dust_core.errors import DustError
from dust_eval.gates import judge_stage
from dust_eval.review.revision import Committed, lay_out, place_results
from dust_eval.review.stored import Contents

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

_NOT_HERE = ("ART", "DATA")
"""Rules about files that are not fetched: checkpoints, engines and the sets of pairs."""


@dataclass(frozen=True)
class TaskResult:
    """A task of a revision.

    Attributes:
        md5: the content of its result; empty where it was not executed.
        file: its result; None where there is none, or none that can be read.
        faults: why its result may not be believed.
        verdicts: by line; a line judges the worst candidate.
        settled: why the verdicts do not count; None where they count.
    """

    md5: str
    file: ResultFile | None
    faults: tuple[str, ...]
    verdicts: Mapping[str, Verdict]
    settled: str | None = None


@dataclass(frozen=True)
class Judged:
    """A revision with its verdicts.

    Attributes:
        name: how the user calls the revision.
        profiles: the tasks of each profile that is judged.
        faults: why nothing or not everything could be judged.
    """

    name: str
    profiles: Mapping[str, Mapping[str, TaskResult]]
    faults: tuple[str, ...] = ()


def judged(
    repository: Repository,
    side: Committed,
    profiles: Iterable[str],
    contents: Contents,
    folder: Path,
) -> Judged:
    """Validate and judge the results of a revision under `profiles`.

    Args:
        contents: the results, as they were fetched.
        folder: where the revision is laid out; it does not exist yet.

    Raises:
        DustError: the specs cannot be read, or the repository is damaged.
    """
    lay_out(repository, side, folder)
    present = [profile for profile in profiles if profile in side.specs.profiles]
    absent = {profile: place_results(side, profile, contents, folder) for profile in present}
    findings = _findings(folder)
    tasks = {
        profile: _tasks(side, profile, absent[profile], findings, folder) for profile in present
    }
    named = {finding for group in findings.values() for finding in group}
    return Judged(
        str(side.revision),
        tasks,
        tuple(
            f"{finding.place}: {finding.rule} {finding.title}: {finding.found}"
            for finding in sorted(named)
            if not finding.place.path.startswith(f"{ARTIFACTS}/")
        ),
    )


def _tasks(
    side: Committed,
    profile: str,
    absent: Mapping[str, str],
    findings: Mapping[str, list[Finding]],
    folder: Path,
) -> dict[str, TaskResult]:
    listed = {result.execution.task: result for result in side.listed(profile)}
    files: dict[str, ResultFile] = {}
    faults: dict[str, list[str]] = {task: [why] for task, why in absent.items()}
    for task, result in listed.items():
        if task in absent:
            continue
        own = faults.setdefault(task, [])
        own += [
            f"{result.path}: {finding.rule} {finding.title}: {finding.found}"
            for finding in findings.get(result.path, ())
        ]
        try:
            file = read_result_file(folder / result.path)
        except DustError as error:
            own += [] if own else [f"{result.path}: {error.what}"]
            continue
        if file.task == task:
            files[task] = file
        else:
            own.append(f"{result.path} is the result of {task}, and holds results of {file.task}")
    outcomes = {}
    for members in _stages(side, profile):
        for outcome in judge_stage(members, files):
            verdicts: dict[str, Verdict] = {}
            for verdict in outcome.verdicts:
                previous = verdicts.get(verdict.gate)
                verdicts[verdict.gate] = _worse(previous, verdict) if previous else verdict
            outcomes[outcome.task] = (verdicts, outcome.settled)
    return {
        task: TaskResult(
            md5=listed[task].md5 if task in listed else "",
            file=files.get(task),
            faults=tuple(faults.get(task, ())),
            verdicts=verdicts,
            settled=settled,
        )
        for task, (verdicts, settled) in outcomes.items()
    }


def _stages(side: Committed, profile: str) -> "list[list[ResolvedTask]]":
    from dust_core.declared.specs import resolve
    from dust_core.declared.specs.names import STAGES

    return [
        [resolve(side.specs, task, profile) for task in side.specs.stage(stage)]
        for stage in STAGES.values()
    ]


def _worse(first: Verdict, second: Verdict) -> Verdict:
    order = ("fail", "inconclusive", "pass")
    return min(first, second, key=lambda verdict: order.index(verdict.status))


def _findings(folder: Path) -> dict[str, list[Finding]]:
    """The errors that the rules find, by file."""
    with contextlib.chdir(folder):
        report = validate(ignore=_NOT_HERE)
    errors: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.severity == "error":
            errors.setdefault(finding.place.path, []).append(finding)
    return errors
