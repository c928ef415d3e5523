"""What running the pipeline of a profile would do now: the comparison behind `dust plan`.

The plan follows from specs and locks alone, so that a reviewer does not need DVC. DVC checks two
more things when it runs: whether the data is that of the lock, and which device it runs on.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dust_core.bounded import read_bounded
from dust_core.declared.change.executed import Execution, executions
from dust_core.declared.change.snapshot import Snapshot
from dust_core.declared.change.stages import Stage, in_order, sources, stages, upstream
from dust_core.declared.change.stale import what_it_is
from dust_core.declared.change.values import value_at
from dust_core.declared.project import ARTIFACTS, DEVICE_FILE
from dust_core.errors import DustError
from dust_core.tracked import is_kept

State = Literal["done", "changed here", "to pull", "not kept", "to run"]

_RESULT_BYTES = 16_000_000  # larger files are not read for a plan


@dataclass(frozen=True, slots=True)
class Step:
    """One task of a plan.

    Attributes:
        task: its id.
        does: its executor.
        after: the tasks whose files it reads.
        state: `done`, with its files present; `changed here`, done, but a result that is here has
            other bytes than the lock says; `to pull`, done, but its files are not here; `not kept`,
            done, but no remote has its files, so only another run makes them; `to run`.
        reasons: why it has to run, or which files are changed or not kept; empty if none of these.
        gpu_hours: expected for the full profile.
    """

    task: str
    does: str
    after: tuple[str, ...]
    state: State
    reasons: tuple[str, ...]
    gpu_hours: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a profile's pipeline, each after the steps that it builds on.

    Attributes:
        profile: its name.
        on_gpu: whether it computes on one, so that the expected hours say something about it.
        steps: in their order.
    """

    profile: str
    on_gpu: bool
    steps: tuple[Step, ...]

    @property
    def to_run(self) -> tuple[Step, ...]:
        """The steps that would run."""
        return tuple(step for step in self.steps if step.state == "to run")

    @property
    def gpu_hours(self) -> float:
        """GPU hours of the steps that would run."""
        return sum(step.gpu_hours for step in self.to_run)


def make_plan(
    snapshot: Snapshot,
    profile: str,
    wanted: Collection[str],
    project: Path,
    device: str | None = None,
) -> Plan:
    """Plan stages and everything that they build on, or the whole pipeline.

    Args:
        snapshot: the specs and locks.
        profile: the profile.
        wanted: stages (`P1`, `K`) and tasks (`K-1`); all if there are none.
        project: the folder in which artifacts are looked for.
        device: MD5 of the file that identifies this device; None for the device of the lock.

    Raises:
        DustError: there are no specs, or no such profile, stage or task.
    """
    if not snapshot.has_specs:
        raise DustError(
            "there are no specs",
            where=str(project),
            fix="run this in the project's folder, or use --specs",
        )
    specs = snapshot.specs
    on_gpu = specs.profile(profile).device.kind == "cuda"
    graph = stages(specs, profile)
    named = [
        task for name in wanted for task in ([name] if name in specs.tasks else specs.stage(name))
    ]
    chosen = upstream(graph, named) if wanted else frozenset(graph)
    device_file = (ARTIFACTS / profile / DEVICE_FILE).as_posix()
    locked = executions(snapshot.files, profile)
    read_from = sources(graph)
    reasons: dict[str, tuple[str, ...]] = {}
    steps = []
    for name in in_order(graph):
        if name not in chosen:
            continue
        after = read_from[name]
        if name not in locked:
            why = ["never executed"]
        else:
            why = list(dict.fromkeys(_changed(graph[name], locked[name], snapshot)))
            if device and locked[name].dependencies.get(device_file, device) != device:
                why.append("it ran on another device")
            why += [f"{source} runs" for source in after if reasons[source]]
            why += [] if why else _other_inputs(graph[name], locked, after)
        reasons[name] = tuple(why)
        task = specs.tasks[name]
        state: State = "to run"
        if not why:
            state, why = _kept(locked[name], project)
        steps.append(Step(name, task.does, after, state, tuple(why), task.expected_gpu_hours))
    return Plan(profile, on_gpu, tuple(steps))


def _changed(stage: Stage, locked: Execution, snapshot: Snapshot) -> Iterator[str]:
    """What differs from the values that the stage was executed on, by DVC's comparison."""
    for file, keys in stage.keys.items():
        for key in keys:
            was = locked.parameters.get(file, {}).get(key)
            if was != value_at(snapshot.written.get(file), key):
                yield f"{what_it_is(file, key, stage.name)} changed"
    if set(stage.reads) != set(locked.dependencies):
        yield "reads other files"
    if set(stage.writes) != set(locked.outputs):
        yield "writes other files"


def _other_inputs(
    stage: Stage, locked: Mapping[str, Execution], after: tuple[str, ...]
) -> list[str]:
    """Tasks that ran again later and wrote files that differ from those this stage read."""
    read = locked[stage.name].dependencies
    return [
        f"{source} wrote another {Path(path).name}"
        for source in after
        for path, md5 in locked[source].outputs.items()
        if path in read and read[path] != md5
    ]


def _kept(executed: Execution, project: Path) -> tuple[State, list[str]]:
    """The state of a task that need not run, and the files that are changed or not kept."""
    absent = {path: md5 for path, md5 in executed.outputs.items() if not (project / path).exists()}
    lost = [Path(path).name for path, md5 in absent.items() if not is_kept(md5, project)]
    not_kept = [f"no remote has {name}" for name in lost]
    if changed := [_restored(path, executed, project) for path in _changed_here(executed, project)]:
        return "changed here", changed + not_kept
    if lost:
        return "not kept", not_kept
    return ("to pull" if absent else "done"), []


def _changed_here(executed: Execution, project: Path) -> Iterator[str]:
    """Results that are here with other bytes than the lock says. Networks are not read."""
    for path, md5 in executed.outputs.items():
        file = project / path
        if file.suffix != ".json" or not file.exists():
            continue
        try:
            content = read_bounded(file, _RESULT_BYTES)
        except (OSError, ValueError):
            continue
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            yield path


def _restored(path: str, executed: Execution, project: Path) -> str:
    """That a result differs from the lock, and the command that makes it the lock's again."""
    restore = "no remote has that one, and `dust repro` makes it anew"
    if is_kept(executed.outputs[path], project):
        restore = f"restore it with `dvc pull --force {path}`"
    return f"{Path(path).name} is not the one of the lock: {restore}"
