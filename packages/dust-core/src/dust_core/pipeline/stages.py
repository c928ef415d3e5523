"""The pipeline that DVC reads, written from the specs.

One DVC stage a task, named like it. It is stale when something that decides the task changes: its
own part of the specs, the tasks whose parameters it takes over, its lines, the workload, the parts
of the profile that it reads, the files it needs, and, where a line binds latency, the device.
Format: https://doc.dvc.org/user-guide/project-structure/dvcyaml-files
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dust_core.errors import DustError
from dust_core.run import ARTIFACTS, SPECS

if TYPE_CHECKING:
    from dust_core.specs import SpecSet
    from dust_core.specs.models import Task

EMBEDDED_PROFILE = "small"
"""The profile that `dvc repro` computes; the others have their pipelines in pipelines/."""

STAGES = {"P0": "P0", "P1": "K", "P2": "Q", "P3": "KQ", "P4": "P", "P5": "ABL"}
"""What users call a stage -> the prefix of its tasks."""

DEVICE_FILE = "device.json"

_DEVICE_METRICS = frozenset({"t_pair_p50_down", "engine_built"})
"""Metrics of lines whose outcome belongs to the device that it was measured on."""

_RECIPES = {
    "train-teacher": "teacher",
    "distill": "distill",
    "ablate-loss": "distill",
    "qat": "qat",
    "qat-student": "qat",
    "prune": "prune",
}
"""What an executor trains by: `does` -> the recipe under the profile's `training`."""

_PROFILE_KEYS = ("data", "device", "runtime", "teacher", "threads", "workload_pairs")


def pipeline_path(profile: str) -> Path:
    """Where the pipeline of a profile is, relative to the repository."""
    folder = Path() if profile == EMBEDDED_PROFILE else Path("pipelines", profile)
    return folder / "dvc.yaml"


def dvc_yaml(specs: "SpecSet", profile: str) -> str:
    """The text of a profile's dvc.yaml."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    text = io.StringIO()
    yaml.dump({"stages": dict(_stages(specs, profile))}, text)
    return (
        f"# Written by `dust pipeline` from specs/ for the profile {profile}; do not edit.\n"
        f"{text.getvalue()}"
    )


def stage_tasks(specs: "SpecSet", stage: str) -> tuple[str, ...]:
    """The ids of a stage's tasks, in the order of their file.

    Args:
        specs: the specs.
        stage: P0 ... P5, or the prefix of its tasks (P1 is K).

    Raises:
        DustError: there is no such stage.
    """
    prefix = STAGES.get(stage, stage)
    if prefix not in STAGES.values():
        names = ", ".join(
            f"{name} ({one})" if name != one else name for name, one in STAGES.items()
        )
        raise DustError(f"there is no stage '{stage}'", fix=f"name one of {names}")
    return tuple(task for task in specs.tasks if task.startswith(f"{prefix}-"))


def result_file_name(task_id: str, task: "Task") -> str:
    """The file in which a task leaves its results and verdicts.

    It is the JSON file among the task's outputs; a task that declares none writes its log, named
    after its experiment or, without one, after itself.
    """
    declared = [name for name in task.outputs if name.endswith(".json")]
    return declared[0] if declared else f"{task.exp_id or task_id}_log.json"


def _stages(specs: "SpecSet", profile: str) -> Iterator[tuple[str, dict[str, Any]]]:
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
        files = [*task.inputs, *_verdicts_needed(specs, task)]
        if any(specs.gate(name).metric in _DEVICE_METRICS for name in task.gate):
            files.append(DEVICE_FILE)
        outputs = dict.fromkeys((*task.outputs, result_file_name(task_id, task)))
        yield (
            task_id,
            {
                "cmd": f"dust run {task_id} --profile {profile}",
                **home,
                "desc": task.title,
                "deps": [*_data(specs, profile), *(str(folder / name) for name in files)],
                "params": _parameters(specs, task_id, profile),
                "outs": [str(folder / name) for name in outputs],
            },
        )


def _verdicts_needed(specs: "SpecSet", task: "Task") -> Iterator[str]:
    """The result files of needed tasks of which no other output is read."""
    for needed in task.needs:
        other = specs.tasks[needed]
        if not set(other.outputs) & set(task.inputs):
            yield result_file_name(needed, other)


def _data(specs: "SpecSet", profile: str) -> list[str]:
    """The folders of the four sets of pairs."""
    chosen = specs.profiles[profile].data
    splits = specs.workload.data if chosen == "embedded" else chosen
    manifests = (split.manifest for _, split in splits)
    return list(dict.fromkeys(Path(manifest).parent.as_posix() for manifest in manifests))


def _parameters(specs: "SpecSet", task_id: str, profile: str) -> list[dict[str, list[str]]]:
    task = specs.tasks[task_id]
    keys: dict[str, list[str]] = {}
    for one in (task_id, *task.refers_to()):
        path, common = _home(one)
        keys.setdefault(path, []).extend([*common, f"spec.tasks.{one}"])
    keys[_path("Gates")] = [f"spec.gates.{name}" for name in task.gate]
    keys[_path("Workload")] = ["spec"]
    recipe = [f"spec.training.{_RECIPES[task.does]}"] if task.does in _RECIPES else []
    keys[f"{SPECS}/profiles/{profile}.yaml"] = [*(f"spec.{key}" for key in _PROFILE_KEYS), *recipe]
    return [{path: list(dict.fromkeys(names))} for path, names in keys.items()]


def _home(task_id: str) -> tuple[str, list[str]]:
    """The file that holds a task, and the key of what its tasks share, if they share anything."""
    from dust_core.specs.models import TASK_KINDS

    prefix = task_id.partition("-")[0]
    kind, model = next(one for one in TASK_KINDS.items() if prefix == one[1].STAGE)
    content: Any = model.model_fields["spec"].annotation
    return _path(kind), ["spec.common"] if "common" in content.model_fields else []


def _path(kind: str) -> str:
    return f"{SPECS}/v1/{kind.lower()}.yaml"
