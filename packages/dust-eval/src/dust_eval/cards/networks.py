"""The networks of the main line, from the specs and from the result that measured them in turn."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dust_core.declared.records import Record, Result, ResultFile, Verdict, read_result_file
from dust_core.declared.specs import ResolvedTask, SpecSet, resolve
from dust_core.errors import DustError

_FINAL = "evaluate-kq"
_NETWORKS = (".pth", ".onnx")
_RECIPES = {"train-teacher": "teacher", "distill": "distill", "qat-student": "qat"}


@dataclass(frozen=True)
class TrainingSet:
    """Pairs that a network was trained on: manifest, its SHA-256, and pairs of an epoch."""

    manifest: str
    sha256: str | None
    pairs_per_epoch: int


@dataclass(frozen=True)
class Network:
    """A network with its record, and how it was made.

    Attributes:
        file, sha256: its name in the profile's folder of artifacts, and its digest.
        result: its record and provenance, as the main line's last task measured it.
        made_by: the task that trained it.
        trained: the record of that training.
        start: the networks that the training began with or learned from.
        training: the sets that it was trained on.
        verdicts: the verdicts on it; none for a baseline.
    """

    file: str
    sha256: str
    result: Result
    made_by: ResolvedTask
    trained: Record
    start: tuple[str, ...]
    training: tuple[TrainingSet, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def record(self) -> Record:
        """Its figures."""
        assert self.result.record is not None
        return self.result.record


@dataclass(frozen=True)
class MainLine:
    """The last task of the main line, all that it measured in turn, and its networks."""

    task: ResolvedTask
    file: ResultFile
    networks: tuple[Network, ...]


def main_line(specs: SpecSet, profile: str, artifacts: Path) -> MainLine:
    """The networks that the main line's last task measured.

    Raises:
        DustError: the specs have no such task, or a result that this needs is not there.
    """
    tasks = {name: resolve(specs, name, profile) for name in specs.tasks}
    final = next((task for task in tasks.values() if task.task.does == _FINAL), None)
    if final is None:
        raise DustError(f"no task of the specs does {_FINAL}", fix="add the main line's last task")
    file = _result(final, artifacts)
    networks = tuple(
        _network(result, name, tasks, file, artifacts)
        for result in file.results
        if result.provenance.role != "reference" and result.record is not None
        for name in sorted(result.provenance.artifacts)
        if name.endswith(_NETWORKS)
    )
    return MainLine(final, file, networks)


def _network(
    result: Result, name: str, tasks: dict[str, ResolvedTask], file: ResultFile, artifacts: Path
) -> Network:
    task = _trained_by(name, result.exp_id, tasks.values())
    records = [found.record for found in _result(task, artifacts).candidates if found.record]
    if not records:
        raise DustError(f"the result of {task.id} has no record", fix=f"run {task.id} again")
    return Network(
        file=name,
        sha256=result.provenance.artifacts[name],
        result=result,
        made_by=task,
        trained=records[0],
        start=(
            *(
                str(stage.start.checkpoint)
                for stage in _stages(task)
                if getattr(stage, "start", None)
            ),
            *(given for given in task.task.inputs if given.endswith(_NETWORKS)),
        ),
        training=_training_sets(task),
        verdicts=tuple(verdict for verdict in file.verdicts if verdict.exp_id == result.exp_id),
    )


def _trained_by(name: str, exp_id: str | None, tasks: Iterable[ResolvedTask]) -> ResolvedTask:
    """The training of a network: of its experiment, or else the one that writes its file."""
    trainings = [task for task in tasks if task.task.does in _RECIPES]
    for task in trainings:
        if exp_id is not None and task.exp_id == exp_id:
            return task
    for task in trainings:
        if name in task.task.outputs:
            return task
    raise DustError(f"no task of the specs trains {name}", fix="dust validate says what is wrong")


def _training_sets(task: ResolvedTask) -> tuple[TrainingSet, ...]:
    shared = task.data.training
    return tuple(
        TrainingSet(
            (stage.shards or shared).manifest,
            (stage.shards or shared).sha256,
            stage.pairs_per_epoch,
        )
        for stage in _stages(task)
    )


def _stages(task: ResolvedTask) -> list[Any]:
    """The recipes of a training in order; none for a network that is adopted."""
    recipe: Any = getattr(task.profile.training, _RECIPES[task.task.does])
    stages = recipe if isinstance(recipe, list | tuple) else [recipe]
    return [stage for stage in stages if stage is not None]


def _result(task: ResolvedTask, artifacts: Path) -> ResultFile:
    path = artifacts / task.profile_name / task.result_files[task.id]
    if not path.is_file():
        raise DustError(
            f"{task.id} has no result here",
            where=str(path),
            fix=f"fetch it with 'dvc pull {path}', or run dust repro",
        )
    return read_result_file(path)
