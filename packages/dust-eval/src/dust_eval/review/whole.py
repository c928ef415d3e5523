"""The verb `dust review`: a whole review as one text, the decision first, then its grounds."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dust_core.declared.change.between import difference_between
from dust_core.declared.change.diff import Difference
from dust_core.declared.change.git import Repository
from dust_core.declared.change.markdown import Beside, render
from dust_core.declared.change.text import counted, folded
from dust_core.declared.checks import Report, validate
from dust_core.declared.checks.formats.text import text as finding_text
from dust_core.declared.project import SPECS
from dust_core.errors import DustError
from dust_eval.review.commands import comparison_of
from dust_eval.review.verdicts import doubts
from dust_eval.review.verdicts import render as render_verdicts

GENERATED = (("pipeline", "--check"), ("spec", "schema", "--check"), ("spec", "docs", "--check"))
"""The commands that compare generated files with the specs."""

_NAMED = 3
"""So many files are named that were not reviewed."""

_RULE = re.compile(r"\b[A-Z]+\d{3} ")
_PATH = re.compile(r"^\S+ \(MD5 \w+\) ")

_CORE = "packages/dust-core/src/dust_core/declared"
_MODELS = tuple(f"{_CORE}/{room}" for room in ("specs", "records", "reference", "pipeline"))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the review.

    Attributes:
        text: its section in Markdown; empty where there is nothing to say.
        reasons: why the change may not be merged.
        failed: whether it could not be done.
    """

    text: str = ""
    reasons: tuple[str, ...] = ()
    failed: bool = False


def review(
    base: Annotated[str, typer.Argument(help="Revision that this would be merged into: main.")],
) -> None:
    """Review the commit that is checked out: specs, results, rules; exit 1 if it says no."""
    text, exit_code = review_of(base)
    typer.echo(text, nl=False)
    for line in _not_reviewed(Repository.around(Path.cwd())):
        typer.echo(line, err=True)
    if exit_code:
        raise typer.Exit(exit_code)


def _not_reviewed(repository: Repository) -> Iterator[str]:
    """What the working tree holds beside the commit that was reviewed."""
    changed = [path for _, path in repository.changed_files(repository.revision("HEAD"), None)]
    if changed:
        named = ", ".join(changed[:_NAMED])
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        yield f"note: what is not committed was not reviewed: {named}{more}"
    if any(path.startswith(f"{SPECS}/") for path in changed):
        yield (
            "note: the validation and the check of generated files read the specs as they are "
            "here, with what is not committed: commit it and review again"
        )


def review_of(base: str, head: str = "HEAD") -> tuple[str, int]:
    """The review of the project in the current folder, whose working tree is the head.

    Returns:
        The text, and the exit code: 1 where the change may not be merged, 2 where a part of the
        review could not be done.
    """
    compared_specs: list[Difference] = []

    def difference() -> Part:
        compared_specs.append(difference_between(base, head, SPECS))
        return Part()

    failed = _part("The comparison", difference)
    change_set = compared_specs[0] if compared_specs else None
    again = change_set.stages_to_run if change_set else ()
    said = change_set.refusals if change_set else ()
    validation = _part("The validation", lambda: _validation(said))
    specs_judged = bool(validation.reasons or (change_set and change_set.invalid))
    verdicts = _part("The verdicts", lambda: _verdicts(base, head, again, specs_judged))
    generated = _part("The check of generated files", lambda: _generated(base, head))
    parts = (failed, verdicts, validation, generated)
    reasons = (*validation.reasons, *verdicts.reasons, *generated.reasons)
    if change_set is None:
        text = "\n\n".join(part.text.strip() for part in parts if part.text) + "\n"
    else:
        text = render(change_set, Beside(reasons, verdicts.text, (validation.text, generated.text)))
    if any(part.failed for part in parts):
        return f"## Not reviewed\n\nA part of the review could not be done.\n\n{text}", 2
    return text, int(bool(change_set and change_set.refusals) or bool(reasons))


def _part(title: str, make: Callable[[], Part]) -> Part:
    try:
        return make()
    except DustError as error:
        where = f"{error.where}: " if error.where else ""
        said = f"error: {where}{error.what}\nfix: {error.fix}"
        return Part(f"### {title} could not be done\n\n{_block(said)}", failed=True)


def _verdicts(base: str, head: str, again: Collection[str], specs_judged: bool) -> Part:
    """The verdicts, without the faults of specs if there is a reason for them already."""
    comparison = comparison_of(Path.cwd(), base, head, None)
    faults = [
        fault
        for fault in doubts(comparison, again)
        if not specs_judged or not fault.startswith(f"{SPECS}/")
    ]
    return Part(render_verdicts(comparison, again, faults).strip(), tuple(_in_short(faults)))


def _in_short(faults: Sequence[str]) -> Iterator[str]:
    """One reason for faults of one kind: the first, and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for fault in faults:
        rule = _RULE.search(fault)
        kinds.setdefault(rule[0] if rule else _PATH.sub("", fault), []).append(fault)
    for first, *more in kinds.values():
        yield f"{first}; and {len(more)} more, listed under Verdicts" if more else first


def _validation(said: Collection[str]) -> Part:
    """What the rules find in the specs; no reason where everything is `said` already."""
    report = validate((SPECS,))  # results are not in the checkout; the verdicts validate them
    if not report.findings:
        return Part("### Validation\n\nNo rule finds an error.")
    text = _block("\n".join(_findings(report)))
    counts = f"{counted(report.errors, 'error')}, {counted(report.warnings, 'warning')}"
    listed = folded(counts, [text])
    if not report.errors:
        return Part(f"### Validation\n\nNo rule finds an error.\n\n{listed}")
    errors = [finding for finding in report.findings if finding.severity == "error"]
    rules = Counter(f"{finding.rule} {finding.title}" for finding in errors)
    kinds = "; ".join(f"{rule} ({count})" for rule, count in rules.most_common())
    reason = f"dust validate finds {counted(report.errors, 'error')}: {kinds}"
    known = all(finding.sentence in said for finding in errors)
    return Part(f"### Validation\n\n{listed}", () if known else (reason,))


def _findings(report: Report) -> Iterator[str]:
    errors_first = sorted(report.findings, key=lambda finding: finding.severity != "error")
    yield from map(finding_text, errors_first)


def _generated(base: str, head: str) -> Part:
    """The files that are generated from specs and models, by the models that review."""
    done = [
        subprocess.run(
            [sys.executable, "-P", "-m", "dust_core", *command],
            capture_output=True, text=True, check=False,
        )
        for command in GENERATED
    ]  # fmt: skip
    if all(run.returncode == 0 for run in done):
        return Part()
    said = _block("\n".join((run.stdout + run.stderr).strip() for run in done if run.returncode))
    title = "### Generated files"
    if _models_change(base, head):
        return Part(
            f"{title}\n\nThe pull request changes the models, so the models of the base cannot "
            "tell whether the files below are right. `nox -s specs` in a checkout of the pull "
            f"request can.\n\n{said}"
        )
    return Part(f"{title}\n\n{said}", ("generated files differ from the specs",))


def _models_change(base: str, head: str) -> bool:
    repository = Repository.around(Path.cwd())
    tip = repository.revision(head)
    fork = repository.merge_base(repository.revision(base), tip)
    changed: Sequence[tuple[str, str]] = tuple(repository.changed_files(fork, tip))
    return any(path.startswith(_MODELS) for _, path in changed)


def _block(said: str) -> str:
    """Text as a code block that nothing in it can end."""
    return "\n".join(f"    {line}".rstrip() for line in said.strip().splitlines())
