"""The pipeline of a profile as a graph: the values and files that each stage reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from dust_core.declared.pipeline.stages import dvc_stages
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of DVC.

    Attributes:
        name: the task's id.
        command: what DVC executes.
        keys: dotted keys of the values that decide the stage, by spec file.
        reads: paths of files and folders.
        writes: paths of files.
    """

    name: str
    command: str
    keys: Mapping[str, tuple[str, ...]]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def stages(specs: "SpecSet", profile: str) -> dict[str, Stage]:
    """The stages of a profile's tasks, as `dust pipeline` writes them for DVC."""
    return {
        name: Stage(
            name=name,
            command=stage["cmd"],
            keys={
                file: tuple(keys)
                for group in stage.get("params", ())
                for file, keys in group.items()
            },
            reads=tuple(stage.get("deps", ())),
            writes=tuple(stage.get("outs", ())),
        )
        for name, stage in dvc_stages(specs, profile)
        if name in specs.tasks
    }


def sources(graph: Mapping[str, Stage]) -> dict[str, tuple[str, ...]]:
    """For each stage the stages whose files it reads, in the order of its dependencies."""
    writer = {path: stage.name for stage in graph.values() for path in stage.writes}
    return {
        name: tuple(dict.fromkeys(writer[path] for path in stage.reads if path in writer))
        for name, stage in graph.items()
    }


def in_order(graph: Mapping[str, Stage]) -> tuple[str, ...]:
    """The names of the stages, each after those whose files it reads, else in spec order.

    Raises:
        DustError: stages read each other's files in a circle.
    """
    position = {name: index for index, name in enumerate(graph)}
    sorter = TopologicalSorter(sources(graph))
    try:
        sorter.prepare()
    except CycleError as error:
        raise DustError(
            f"stages wait for each other: {', '.join(dict.fromkeys(error.args[1]))}",
            where="specs",
            fix="'dust validate' names the circle in their needs",
        ) from error
    order: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted((*ready, *sorter.get_ready()), key=position.__getitem__)
        order.append(ready.pop(0))
        sorter.done(order[-1])
    return tuple(order)


def upstream(graph: Mapping[str, Stage], wanted: Iterable[str]) -> frozenset[str]:
    """The named stages, and every stage that they build on."""
    before = sources(graph)
    chosen: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in chosen:
            chosen.add(name)
            waiting += before[name]
    return frozenset(chosen)
