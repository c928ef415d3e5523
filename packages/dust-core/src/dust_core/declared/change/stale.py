"""Stages that a change of the specs makes stale, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dust_core.declared.change.stages import Stage, in_order, sources
from dust_core.declared.change.values import value_at

PROFILES = "specs/profiles/"


@dataclass(frozen=True, slots=True)
class Stale:
    """A stage that has to run, again or for the first time.

    Attributes:
        task: the task's id.
        reasons: what changed about it, in words; empty where only what it builds on changed.
        after: the stale stages whose files it reads.
    """

    task: str
    reasons: tuple[str, ...]
    after: tuple[str, ...]


def stale_stages(
    old: Mapping[str, Stage],
    new: Mapping[str, Stage],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> dict[str, Stale]:
    """The stages of `new` that differ from those of `old`, and all stages that build on these.

    Values are compared as they are written, as DVC compares them. Where DVC reads a whole section,
    changed prose in it or an explicit default makes the stage run again.

    Args:
        old: the stages at the base.
        new: the stages at the head.
        before: the values of each spec file at the base, as they are written, by path.
        after: the same at the head.
    """
    read_from = sources(new)
    stale: dict[str, Stale] = {}
    for name in in_order(new):
        reasons = tuple(dict.fromkeys(_reasons(old.get(name), new[name], before, after)))
        waits = tuple(source for source in read_from[name] if source in stale)
        if reasons or waits:
            stale[name] = Stale(name, reasons, waits)
    return stale


def _reasons(
    old: Stage | None, new: Stage, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[str]:
    if old is None:
        yield "new"
        return
    changed = [
        what_it_is(file, key, new.name)
        for file, keys in new.keys.items()
        for key in keys
        if value_at(before.get(file), key) != value_at(after.get(file), key)
    ]
    yield from changed
    if not changed and set(old.reads) != set(new.reads):
        # The parameters are the same, so the change is in what another task writes.
        yield "reads other files"


def what_it_is(file: str, key: str, task: str) -> str:
    """A value that decides a stage, in words for a reviewer.

    Args:
        file: the spec file.
        key: the dotted key in it.
        task: the stage that depends on it.
    """
    name = PurePosixPath(file)
    match key.split("."):
        case ["spec", "tasks", other, *_]:
            return "its spec" if other == task else f"the spec of {other}"
        case ["spec", "gates", line, *_]:
            return f"the line {line}"
        case ["spec", "common", *_]:
            return f"what the tasks of {name.name} share"
        case ["spec", *rest] if file.startswith(PROFILES):
            return f"{'.'.join(rest)} of the profile {name.stem}"
        case _:
            return f"the {name.stem}"
