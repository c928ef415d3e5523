"""The verb `dust audit`."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dust_eval.measure.audit import Audit, Auditor
    from dust_eval.review.audited import Laid


def audit(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TASK]...", help="By default all.", show_default=False),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            help="Only this; by default each that may be quoted.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="BASE",
            help="Only results that changed since that revision; its DVC remote is asked.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure the quality of committed results again; exit 1 if a record does not agree.

    Latency cannot be measured again elsewhere, so it is not audited.
    """
    from dust_eval.review.audited import audited_profiles

    here = Path.cwd()
    profiles = [profile] if profile else audited_profiles(here, against)
    agreed = [_audit_profile(here, name, tasks or (), against) for name in profiles]
    if not all(agreed):
        raise typer.Exit(1)


def _audit_profile(project: Path, profile: str, tasks: Sequence[str], against: str | None) -> bool:
    """Audit and report the results of a profile; whether all of them agree."""
    from dust_core.declared.records import environment_fingerprint
    from dust_core.declared.records.sources import measuring_code
    from dust_eval.measure.audit import Auditor
    from dust_eval.review.audit_report import render, surviving_verdicts
    from dust_eval.review.audited import lay_out_for_audit

    with tempfile.TemporaryDirectory(prefix="dust-audit-") as folder:
        laid = lay_out_for_audit(project, profile, tasks, against, Path(folder))
        kind = laid.side.specs.profile(profile).device.kind
        with contextlib.chdir(laid.root):
            device = environment_fingerprint(kind).device if laid.files else None
            auditor = Auditor(device, measuring_code(), laid.writers(profile))
            audits = {task: list(_audited(auditor, laid, task, profile)) for task in laid.files}
        survivors = surviving_verdicts(laid, profile, audits)
    typer.echo(render(profile, audits, laid.absent, survivors))
    reproduced = all(part.verdict == "reproduced" for group in audits.values() for part in group)
    return reproduced and not laid.absent and not any(pair.lost for pair in survivors)


def _audited(auditor: "Auditor", laid: "Laid", task: str, profile: str) -> Iterator["Audit"]:
    """Audit each result of a task that has a quality."""
    from dust_core.declared.project import ARTIFACTS

    resolved = laid.task(task, profile)
    for result in laid.files[task].results:
        if result.provenance.per_pair and result.provenance.runtime is not None:
            yield auditor.audit(resolved, result, ARTIFACTS / profile)
