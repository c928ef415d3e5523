"""Which tasks were executed, as the committed dvc.lock files say.

DVC writes a stage into its lock when the stage has succeeded, with the values of the specs that it
ran on. The lock is committed, because `dvc pull` needs it. So a clone without any artifact shows
what was executed last. A lock can be edited: `chain.py` compares it with the base and the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dust_core.declared.project import pipeline_path
from dust_core.declared.reading.yaml_text import parse_yaml
from dust_core.errors import DustError


@dataclass(frozen=True, slots=True)
class Execution:
    """One stage of a lock.

    Attributes:
        task: the task's id, the stage's name.
        profile: the profile whose pipeline it is.
        run: the number of the attempt.
        exp_id: the experiment's id; None for a task without its own experiment.
        parameters: the values of the specs that it ran on, by file and dotted key.
        dependencies: MD5 of what it read, by path.
        outputs: MD5 of what it wrote, by path.
    """

    task: str
    profile: str
    run: int
    exp_id: str | None
    parameters: Mapping[str, Mapping[str, Any]]
    dependencies: Mapping[str, str]
    outputs: Mapping[str, str]


def lock_path(profile: str) -> str:
    """Where the lock of a profile's pipeline is, relative to the project."""
    return pipeline_path(profile).with_suffix(".lock").as_posix()


def executions(files: Mapping[str, bytes], profile: str) -> Mapping[str, Execution]:
    """The executed tasks of one profile, by id.

    Args:
        files: the project's files by path; if the profile's lock is absent, nothing was executed.
        profile: the profile.

    Raises:
        DustError: the file is not a lock that DVC wrote.
    """
    path = lock_path(profile)
    return _parsed(files[path], path, profile) if path in files else {}


@lru_cache(maxsize=16)  # the sides of a change have the same lock more often than not
def _parsed(content: bytes, path: str, profile: str) -> Mapping[str, Execution]:
    data = parse_yaml(content, path).data
    stages = data.get("stages") if isinstance(data, dict) else None
    if not isinstance(stages, dict):
        raise _damaged(path, "it has no stages")
    entries = (_execution(path, str(name), stage, profile) for name, stage in stages.items())
    return {entry.task: entry for entry in entries if entry is not None}


def _execution(path: str, task: str, stage: Any, profile: str) -> Execution | None:
    """A stage as an execution; None for a stage that is not a task."""
    try:
        parameters: dict[str, dict[str, Any]] = stage.get("params", {})
        spec = _own_values(task, parameters)
        if not spec:
            return None
        return Execution(
            task=task,
            profile=profile,
            run=int(spec["run"]),
            exp_id=spec["exp_id"],
            parameters=parameters,
            dependencies={file["path"]: file.get("md5", "") for file in stage.get("deps", ())},
            outputs={file["path"]: file.get("md5", "") for file in stage.get("outs", ())},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"the stage '{task}' is incomplete") from error


def _own_values(task: str, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of the task's own spec, whether its stage depends on all of it or on fields."""
    own: dict[str, Any] = {}
    key = f"spec.tasks.{task}"
    for values in parameters.values():
        own |= values.get(key, {})
        own |= {
            name.removeprefix(f"{key}."): value
            for name, value in values.items()
            if name.startswith(f"{key}.")
        }
    return own


def _damaged(path: str, what: str) -> DustError:
    return DustError(
        f"not a lock that DVC wrote: {what}",
        where=path,
        fix="restore the file; 'dvc repro' and 'dvc commit' alone write it",
    )
