"""What the validator refuses about the specs of a revision, without any files beside them.

`dust validate` and `dust diff` both refuse it: such specs must not be merged, whatever the base.
"""

from pathlib import Path

from dust_core.declared.checks.engine import judge
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules import (
    files,
    gates,
    names,
    profiles,
    protocol,
    references,
    values,
    waivers,
)
from dust_core.declared.checks.subjects import SpecTree, YamlFile
from dust_core.declared.specs import SpecSet

SPEC_RULES = tuple(
    rule
    for module in (files, values, protocol, names, references, gates, waivers, profiles)
    for rule in module.RULES
)
"""The rules that need nothing but the specs. Those of data and results need their files."""


def invalid_specs(specs: SpecSet, owners: frozenset[str]) -> tuple[Finding, ...]:
    """The errors in specs, sorted by place; warnings are left out.

    Args:
        specs: the specs, each of which its model accepts.
        owners: who may approve a waiver.
    """
    parts = tuple(
        YamlFile(path, Path(path), document) for path, document in specs.documents.items()
    )
    tree = SpecTree("specs", Path("specs"), parts, owners)
    outcome = judge((*parts, tree), SPEC_RULES, SPEC_RULES, lambda _: True)
    return tuple(sorted(finding for finding in outcome.findings if finding.severity == "error"))
