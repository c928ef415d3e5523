"""The validator: rules over specs, records, tables, artifacts and graphs."""

from collections.abc import Sequence
from pathlib import Path

from dust_core.declared.checks.catalogue import all_rules, catalogue
from dust_core.declared.checks.discover import discover
from dust_core.declared.checks.engine import Report, Skipped, judge
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.select import choose
from dust_core.declared.reading.place import Place

__all__ = [
    "Finding",
    "Place",
    "Report",
    "Rule",
    "Skipped",
    "all_rules",
    "catalogue",
    "validate",
]


def validate(
    paths: Sequence[Path] = (), *, select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> Report:
    """Run the rules over everything that `paths` hold; by default over the current project.

    Args:
        paths: folders of specs or artifacts, projects that hold them, or single files.
        select: ids of rules, or their beginnings; all by default.
        ignore: ids of rules, or their beginnings, that are left out.

    Raises:
        DustError: a path that does not exist or holds nothing to validate, or an unknown rule.
    """
    rules = all_rules()
    selected = choose(rules, select, ignore)
    project = discover(paths)
    outcome = judge(project.subjects, rules, selected, project.covers)
    return Report(
        findings=tuple(sorted(set(outcome.findings))),
        skipped=tuple(sorted(outcome.skipped)),
        files=len(project.files),
        rules=selected,
    )
