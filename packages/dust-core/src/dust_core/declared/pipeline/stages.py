"""The pipeline that DVC reads, written from the specs.

Each task has a DVC stage of the same name. The stage is stale if something that decides the task
changes: its own part of the specs, the tasks whose parameters it takes over, its lines, the
workload, the parts of the profile that it reads, the files it needs, and, where a line binds
latency, the device.
Format: https://doc.dvc.org/user-guide/project-structure/dvcyaml-files
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dust_core.declared.project import ARTIFACTS, DEVICE_FILE, EMBEDDED_PROFILE, SPECS
from dust_core.declared.specs.decides import deciding_keys

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet
    from dust_core.declared.specs.models import Gate, Task

_RECIPES = {
    "distill": "distill",
    "ablate-loss": "distill",
    "qat": "qat",
    "qat-student": "qat",
    "prune": "prune",
}
"""The recipe that an executor trains with: `does` -> its key under the profile's `training`."""


@dataclass(frozen=True, kw_only=True)
class _Reads:
    """What a task reads of the workload, the data and the profile, beyond its own parameters."""

    workload: tuple[str, ...] = ("spec",)
    splits: tuple[str, ...] = ("workload", "calibration", "training", "validation")
    profile: tuple[str, ...] = (
        "data", "device", "runtime", "teacher", "threads", "workload_pairs",
    )  # fmt: skip


# The two tasks that measure no network. The teacher takes longest of all: a change to how figures
# are taken must not train it anew.
_UNMEASURED = {
    "freeze-workload": _Reads(profile=("data", "workload_pairs")),
    "train-teacher": _Reads(
        workload=("spec.data", "spec.images", "spec.seed"),
        splits=("training", "validation"),
        profile=("data", "device", "teacher", "training.teacher", "validation_pairs"),
    ),
}


def dvc_yaml(specs: "SpecSet", profile: str) -> str:
    """The text of a profile's dvc.yaml."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    text = io.StringIO()
    yaml.dump({"stages": dict(dvc_stages(specs, profile))}, text)
    return (
        f"# Written by `dust pipeline` from specs/ for the profile {profile}; do not edit.\n"
        f"{text.getvalue()}"
    )


def dvc_stages(specs: "SpecSet", profile: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stages of a profile's dvc.yaml by name, as DVC's format has them."""
    folder = ARTIFACTS / profile
    home = {} if profile == EMBEDDED_PROFILE else {"wdir": "../.."}
    yield (
        "device",
        {
            "cmd": f"dust device --profile {profile}",
            **home,
            "always_changed": True,
            "outs": [str(folder / DEVICE_FILE)],
        },
    )
    for task_id, task in specs.tasks.items():
        files = [*task.inputs, *_taken_over(specs, task), *_results_read(specs, task)]
        if any(_depends_on_device(specs.gate(name)) for name in task.gate):
            files.append(DEVICE_FILE)
        outputs = _with_manifests((*task.outputs, task.result_file(task_id)))
        yield (
            task_id,
            {
                "cmd": f"dust run {task_id} --profile {profile}",
                **home,
                "desc": task.title,
                "deps": [
                    *_data(specs, task, profile),
                    *(str(folder / name) for name in _with_manifests(files)),
                ],
                "params": _parameters(specs, task_id, profile),
                "outs": [str(folder / name) for name in outputs],
            },
        )


def _depends_on_device(gate: "Gate") -> bool:
    """Whether the outcome of a line depends on the device: one on latency, or on an engine."""
    from dust_core.declared.specs.models import METRICS

    return METRICS[gate.metric].sampled or gate.metric == "engine_built"


def _with_manifests(names: Iterable[str]) -> Iterator[str]:
    """Each name once; an engine is followed by its manifest, which every runtime needs to load
    it."""
    for name in dict.fromkeys(names):
        yield name
        if name.endswith(".trt"):
            yield f"{name}.json"


def _results_read(specs: "SpecSet", task: "Task") -> Iterator[str]:
    """The result files of baselines, and of needed tasks without another output that is read."""
    baselines = {baseline for name in task.gate if (baseline := specs.gate(name).baseline)}
    for needed in sorted({*task.needs, *baselines}):
        source = specs.tasks[needed]
        if needed in baselines or not set(source.outputs) & set(task.inputs):
            yield source.result_file(needed)


def _taken_over(specs: "SpecSet", task: "Task") -> Iterator[str]:
    """The networks of an ablation's base, which a variant with equal parameters is."""
    from dust_core.declared.specs.models import AblationTask

    if isinstance(task, AblationTask):
        yield from specs.task(task.base).outputs


def _reads(specs: "SpecSet", task: "Task", profile: str) -> _Reads:
    if task.does in _UNMEASURED:
        return _UNMEASURED[task.does]
    recipe = _RECIPES.get(task.does)
    if recipe is None:
        return _Reads()
    if task.does == "ablate-loss" and specs.profile(profile).training.ablate_loss:
        recipe = "ablate_loss"
    return _Reads(profile=(*_Reads.profile, "validation_pairs", f"training.{recipe}"))


def trains(task: "Task") -> bool:
    """Whether executing the task trains a network, as far as its spec shows."""
    return task.does in _RECIPES or task.does == "train-teacher"


def splits_read(does: str) -> tuple[str, ...]:
    """The sets of pairs that an executor reads, by their names in the data."""
    return _UNMEASURED.get(does, _Reads()).splits


def _data(specs: "SpecSet", task: "Task", profile: str) -> list[str]:
    """The folders of the sets of pairs that a task reads."""
    chosen = specs.profile(profile).data
    sets = specs.workload.data if chosen == "embedded" else chosen
    splits = _reads(specs, task, profile).splits
    manifests = (getattr(sets, split).manifest for split in splits)
    return list(dict.fromkeys(Path(manifest).parent.as_posix() for manifest in manifests))


def _parameters(specs: "SpecSet", task_id: str, profile: str) -> list[dict[str, list[str]]]:
    """The keys of spec files that decide a task; DVC compares their values.

    Tasks and lines are listed key by key, without their prose: a new title makes nothing stale.
    """
    task = specs.task(task_id)
    reads = _reads(specs, task, profile)
    keys: dict[str, list[str]] = {}
    for name in (task_id, *task.refers_to()):
        common = [] if specs.common(name) is None else ["spec.common"]
        path = _path(specs.task_files[name].kind)
        own = deciding_keys(specs.tasks[name], f"spec.tasks.{name}")
        keys.setdefault(path, []).extend([*common, *own])
    keys[_path("Gates")] = [
        key for name in task.gate for key in deciding_keys(specs.gate(name), f"spec.gates.{name}")
    ]
    keys[_path("Workload")] = list(reads.workload)
    keys[f"{SPECS}/profiles/{profile}.yaml"] = [f"spec.{key}" for key in reads.profile]
    return [{path: list(dict.fromkeys(names))} for path, names in keys.items()]


def _path(kind: str) -> str:
    return f"{SPECS}/v1/{kind.lower()}.yaml"
