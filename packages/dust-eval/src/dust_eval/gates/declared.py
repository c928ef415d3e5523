"""The results that gates and reports judge: each task's result of its declared run, if proven."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.records import ResultFile, read_result_file
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.records.proof import Unproven
    from dust_core.declared.specs import ResolvedTask

_FAULTS_SHOWN = 3


def declared_results(
    result_files: Mapping[str, str], folder: Path, tasks: Iterable[str] | None = None
) -> dict[str, ResultFile]:
    """The results that exist, by task.

    Files of other runs of a task are not read, because only the declared run counts.

    Args:
        result_files: the name of every task's result file, as `ResolvedTask` has it.
        folder: the profile's folder of artifacts.
        tasks: the tasks whose results are read; by default all.

    Raises:
        DustError: a file is broken, or holds the results of another task.
    """
    wanted = result_files if tasks is None else dict.fromkeys(tasks)
    results = {}
    for task in wanted:
        path = folder / result_files[task]
        if not path.is_file():
            continue
        results[task] = read_result_file(path)
        if results[task].task != task:
            raise DustError(
                f"this is the result file of {task}, and it holds results of {results[task].task}",
                where=str(path),
                fix=f"run {task} again",
            )
    return results


def tasks_judged_with(tasks: Iterable["ResolvedTask"]) -> set[str]:
    """The tasks whose results the lines of `tasks` need: these tasks and their baselines."""
    members = list(tasks)
    baselines = {gate.baseline for task in members for gate in task.gates.values()}
    return {task.id for task in members} | {name for name in baselines if name is not None}


def unproven_results(
    tasks: Mapping[str, "ResolvedTask"], folder: Path
) -> dict[str, tuple[str, ...]]:
    """Why results are no evidence, by task; only tasks whose result is not proven.

    All results of the profile are compared with one another, with dvc.lock and with git
    (`dust_core.declared.records.proof`). A baseline that was measured beside a candidate is not
    proven where the result of its own task is absent.

    Args:
        tasks: every task of the specs under the profile, by id.
        folder: the profile's folder of artifacts.

    Raises:
        DustError: dvc.lock cannot be read.
    """
    from dust_core.declared.records.proof import faults_of, gathered

    faults = faults_of(gathered(folder, tasks)) if folder.is_dir() else {}
    return {task: tuple(_first(members)) for task, members in faults.items()}


def _first(faults: "Sequence[Unproven]") -> Iterator[str]:
    """The first faults in words; after an edit one fault often has many consequences."""
    yield from map(str, faults[:_FAULTS_SHOWN])
    if len(faults) > _FAULTS_SHOWN:
        yield f"{len(faults) - _FAULTS_SHOWN} more, which 'dust validate' lists"
