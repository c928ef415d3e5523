"""All rules, here and in installed packages; and the catalogue in Markdown.

A package registers a family under the entry-point group `dust.rules`. The name is the family
(`QDQ`). The value is `module:RULES`, a tuple of rules on the subjects of
`dust_core.declared.checks.subjects`. The module is imported whenever rules run, so it has its heavy
imports inside `check`.
"""

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.rules import (
    artifacts,
    data,
    executed,
    figures,
    files,
    gates,
    ledger,
    names,
    profiles,
    proofs,
    protocol,
    provenance,
    records,
    references,
    tables,
    values,
    verdicts,
    waivers,
)
from dust_core.errors import DustError

RULE_GROUP = "dust.rules"

FAMILIES = {
    "SPEC": "Structure of spec files",
    "PROT": "The protocol that experiments share",
    "NAME": "Names of tasks, experiments and files",
    "REF": "References between specs",
    "GATE": "Success lines and waivers",
    "PROF": "Profiles",
    "DATA": "Frozen data and its splits",
    "REC": "Records",
    "PROV": "Provenance",
    "PROOF": "Proof of results",
    "EXEC": "Executed specs",
    "VERD": "Verdicts",
    "ART": "Artifacts",
    "TAB": "Result tables",
    "QDQ": "Graphs with Q/DQ",
}

_MODULES = (
    files, values, protocol, names, references, gates, waivers, profiles, data, records, figures,
    provenance, executed, ledger, proofs, verdicts, artifacts, tables,
)  # fmt: skip


def all_rules() -> tuple[Rule[Any], ...]:
    """Every rule that is installed, by family and number.

    Raises:
        DustError: two rules share an id, or a registered family cannot be imported.
    """
    rules: list[Rule[Any]] = [rule for module in _MODULES for rule in module.RULES]
    for entry in sorted(entry_points(group=RULE_GROUP), key=lambda entry: entry.name):
        try:
            rules.extend(entry.load())
        except (ImportError, AttributeError) as error:
            raise DustError(
                f"the rules {entry.name} cannot be loaded: {error}",
                where=entry.value,
                fix="install the package again, or uninstall it",
            ) from error
    by_id: dict[str, Rule[Any]] = {}
    for rule in rules:
        if by_id.setdefault(rule.id, rule) is not rule:
            raise DustError(
                f"two rules have the id {rule.id}",
                where=f"{type(rule).__module__} and {type(by_id[rule.id]).__module__}",
                fix="uninstall one of the packages that provide them",
            )
    order = list(FAMILIES)
    return tuple(
        sorted(
            rules,
            key=lambda rule: (
                order.index(rule.family) if rule.family in order else len(order),
                rule.id,
            ),
        )
    )


def catalogue(rules: Sequence[Rule[Any]]) -> str:
    """The rules as Markdown: what each one means, and what to do when it fires."""
    lines = [
        "# Rules",
        "",
        "What `dust validate` checks. A rule's id is its family and a number; `--select` and",
        "`--ignore` take ids and their beginnings: `dust validate --select GATE,REC00 --ignore",
        "GATE008`. An error fails a run, a warning does not. This page is written by `dust rules`.",
    ]
    family = ""
    for rule in rules:
        if rule.family != family:
            family = rule.family
            lines += ["", f"## {family}: {FAMILIES.get(family, 'Further rules')}"]
        kind = " (warning)" if rule.severity == "warning" else ""
        lines += ["", f"### {rule.id}: {rule.title}{kind}", "", rule.explanation, ""]
        lines += [f"**Fix:** {rule.fix}."]
        if rule.requires:
            lines += ["", f"Waits for: {', '.join(rule.requires)}."]
    return "\n".join(lines) + "\n"
