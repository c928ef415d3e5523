"""Which rules a run reports: those under the selected prefixes, without the ignored rules."""

from collections.abc import Sequence
from typing import Any

from dust_core.declared.checks.rule import Rule
from dust_core.declared.reading.wording import nearest
from dust_core.errors import DustError


def choose(
    rules: Sequence[Rule[Any]], select: Sequence[str], ignore: Sequence[str]
) -> tuple[Rule[Any], ...]:
    """The rules whose id begins with a prefix in `select` (all, if empty) and none in `ignore`.

    Each item may be a list with commas, e.g. `GATE,REC004`, in upper or lower case.

    Raises:
        DustError: no rule's id begins with one of the prefixes.
    """
    chosen = _prefixes(rules, select, "--select")
    dropped = _prefixes(rules, ignore, "--ignore")
    return tuple(
        rule
        for rule in rules
        if (not chosen or rule.id.startswith(chosen))
        and not (dropped and rule.id.startswith(dropped))
    )


def _prefixes(rules: Sequence[Rule[Any]], items: Sequence[str], option: str) -> tuple[str, ...]:
    prefixes = tuple(
        word.strip().upper() for item in items for word in item.split(",") if word.strip()
    )
    for prefix in prefixes:
        if not any(rule.id.startswith(prefix) for rule in rules):
            near = nearest(prefix, {rule.family for rule in rules} | {rule.id for rule in rules})
            raise DustError(
                f"no rule's id begins with {prefix!r}"
                + (f"; did you mean {near}?" if near else ""),
                where=option,
                fix="`dust rules` lists the ids",
            )
    return prefixes
