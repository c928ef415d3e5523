"""The paths of a project: specs, artifacts, pipelines, a task's files and result."""

from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.errors import DustError
from dust_core.tracked import PULL

if TYPE_CHECKING:
    from dust_core.declared.records.result import ResultFile
    from dust_core.declared.specs import ResolvedTask

ARTIFACTS = Path("artifacts")
SPECS = Path("specs")

LOCK = ARTIFACTS / ".lock"
"""The lock of a run, which prevents a second run at the same time."""

EMBEDDED_PROFILE = "small"
"""The profile that `dvc repro` computes; the others have their pipelines in pipelines/."""

DEVICE_FILE = "device.json"
"""The file that identifies the device, in the profile's folder of artifacts."""


def pipeline_path(profile: str) -> Path:
    """Where the pipeline of a profile is, relative to the repository."""
    folder = Path() if profile == EMBEDDED_PROFILE else Path("pipelines", profile)
    return folder / "dvc.yaml"


def lock_path(profile: str) -> Path:
    """Where DVC records what was executed under a profile, relative to the repository."""
    return pipeline_path(profile).with_suffix(".lock")


def profile_path(profile: str) -> Path:
    """Where a profile is declared."""
    return SPECS / "profiles" / f"{profile}.yaml"


def log_path(task: "ResolvedTask", rank: int = 0) -> Path:
    """Where the run of a task writes its log; each further rank has its own log."""
    suffix = f".rank{rank}" if rank else ""
    return ARTIFACTS / task.profile_name / "logs" / f"{task.id}{suffix}.log"


def require_inputs(task: "ResolvedTask") -> None:
    """Check that the files that a task reads are there.

    Raises:
        DustError: a file is absent; the message names the files and the tasks that write them.
    """
    folder = ARTIFACTS / task.profile_name
    missing = [name for name in task.task.inputs if not (folder / name).is_file()]
    if missing:
        raise DustError(
            f"{task.id} reads {', '.join(missing)}, which is not there yet",
            where=str(folder),
            fix=f"fetch it with '{PULL}', or run what {task.id} needs first: "
            f"{', '.join(task.task.needs)}",
        )


def require_outputs(task: "ResolvedTask") -> None:
    """Check that the outputs of a task, with its result, are there.

    Raises:
        DustError: an output is absent; the message names the files.
    """
    folder = ARTIFACTS / task.profile_name
    declared = {*task.task.outputs, result_path(task).name}
    missing = sorted(name for name in declared if not (folder / name).exists())
    if missing:
        raise DustError(
            f"{task.id} ended without writing {', '.join(missing)}",
            where=str(folder),
            fix=f"the executor of {task.task.does} has a fault: report it",
        )


def result_path(task: "ResolvedTask", of: str | None = None) -> Path:
    """Where the result of a task is, under the profile and the runs that the specs declare.

    Args:
        task: the task that asks.
        of: the task whose result is meant; by default `task` itself.

    Raises:
        DustError: the specs have no such task.
    """
    wanted = of or task.id
    if wanted not in task.result_files:
        raise DustError(
            f"the specs have no task {wanted!r}, whose result {task.id} needs",
            fix=f"one of {', '.join(task.result_files)}",
        )
    return ARTIFACTS / task.profile_name / task.result_files[wanted]


def result_of(task: "ResolvedTask", other: str) -> "ResultFile":
    """The result of another task, only of the run that the specs declare.

    Raises:
        DustError: the task has no result yet, or the file cannot be read.
    """
    from dust_core.declared.records.storage import read_result_file

    path = result_path(task, other)
    if not path.is_file():
        raise DustError(
            f"{other}, which {task.id} builds on, has no result",
            where=str(path),
            fix=f"run it first: dust run {other} --profile {task.profile_name}",
        )
    return read_result_file(path)
