"""The stages of a pipeline and which of them are stale, as DVC's index and its lock say.

No file of the working tree is looked at where a stage writes it: workers fetch what the lock names.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dust_core.declared.dvc_files import keep_lock
from dust_core.declared.project import lock_path
from dust_core.errors import DustError, first_line
from dust_eval.gates.dvc_command import write_atomically


@dataclass(slots=True)
class Stage:
    """One stage of DVC.

    Attributes:
        name: the task's id.
        target: the stage as DVC's command line names it.
        reads: the hash in the lock of each file and folder that it reads, by path; None where the
            lock has none.
        untracked: what it reads that neither a stage nor a data set of DVC is.
        writes: the same for what it writes.
        changed: whether its command, its parameters or an untracked file differ from the lock.
        always: whether DVC runs it every time.
    """

    name: str
    target: str
    reads: dict[str, str | None]
    untracked: tuple[str, ...]
    writes: dict[str, str | None]
    changed: bool
    always: bool


@dataclass(slots=True)
class Graph:
    """The stages that targets need, and what others wrote that they read.

    Attributes:
        stages: by name, each after those whose files it reads.
        tracked: the hashes of what no stage of the graph writes, such as data sets, by path.
    """

    stages: dict[str, Stage]
    tracked: dict[str, str | None] = field(default_factory=dict)

    def before(self, name: str) -> list[str]:
        """The stages whose files a stage reads."""
        reads = self.stages[name].reads
        return [
            stage.name
            for stage in self.stages.values()
            if not reads.keys().isdisjoint(stage.writes)
        ]

    def to_fetch(self, name: str) -> tuple[str, ...]:
        """The stages before a stage, and the data sets that it reads, as DVC names them."""
        before = (self.stages[other].target for other in self.before(name))
        return (*before, *(path for path in self.stages[name].reads if path in self.tracked))

    def after(self, names: Iterable[str]) -> list[str]:
        """The stages that read files of the named ones, directly or not."""
        found = set(names)
        later = []
        for name in self.stages:
            if not found.isdisjoint(self.before(name)):
                found.add(name)
                later.append(name)
        return later

    def is_stale(self, name: str) -> bool:
        """Whether a stage has to run, when all that it reads is made."""
        stage = self.stages[name]
        written = {
            path: hash_ for other in self.stages.values() for path, hash_ in other.writes.items()
        }
        made = self.tracked | written
        return (
            stage.changed
            or None in stage.writes.values()
            or any(made.get(path) != hash_ for path, hash_ in stage.reads.items())
        )

    def take(self, name: str, entry: Mapping[str, Any]) -> None:
        """Note that a stage ran, as the entry of the lock says that the run left."""
        stage = self.stages[name]
        stage.changed = stage.always = False
        stage.reads |= {
            file["path"]: file.get("md5")
            for file in entry.get("deps", ())
            if file["path"] in stage.reads
        }
        stage.writes |= {file["path"]: file.get("md5") for file in entry.get("outs", ())}


def read_graph(targets: Iterable[str]) -> Graph:
    """The graph of targets of DVC, such as `pipelines/ci/dvc.yaml:K-1`.

    Raises:
        DustError: DVC cannot read its files, or is at work.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    graph = Graph({})
    try:
        with Repo() as repo, repo.lock:
            for stage in plan_repro(
                get_active_graph(repo.index.graph), collect_stages(repo, targets)
            ):
                if stage.is_data_source:
                    graph.tracked |= _hashes(stage.outs)
                else:
                    graph.stages[stage.name] = _stage(stage)
    except DvcException as error:
        raise DustError(
            f"DVC cannot read the pipeline: {first_line(error)}",
            where="dvc.yaml",
            fix="correct that; 'dvc status' shows the same",
        ) from error
    return graph


def _stage(stage: Any) -> Stage:
    from dvc.dependency import ParamsDependency

    made = {out.fs_path for other in stage.repo.index.stages for out in other.outs}
    parameters = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    files = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    untracked = [dep for dep in files if dep.fs_path not in made]
    return Stage(
        name=stage.name,
        target=stage.addressing,
        reads=_hashes(dep for dep in files if dep.fs_path in made),
        untracked=tuple(_hashes(untracked)),
        writes=_hashes(stage.outs),
        changed=stage.changed_stage() or any(dep.status() for dep in [*parameters, *untracked]),
        always=stage.always_changed,
    )


def _hashes(files: Iterable[Any]) -> dict[str, str | None]:
    return {
        Path(file.fs_path).relative_to(file.repo.root_dir).as_posix(): file.hash_info.value
        for file in files
    }


def take_entry(profile: str, name: str, entry: Mapping[str, Any]) -> None:
    """Write a stage's entry into the lock of a profile, as DVC does when it has run the stage.

    What an earlier run of the stage left in the working tree goes, as DVC removes it before a run.
    """
    from dvc.utils.serialize import modify_yaml

    write_atomically()
    with modify_yaml(str(lock_path(profile))) as lock:
        lock.setdefault("schema", "2.0")
        lock.setdefault("stages", {})[name] = dict(entry)
    keep_lock(Path(), profile)
    for written in entry.get("outs", ()):
        path = Path(written["path"])
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file() and _md5(path) != written.get("md5"):
            path.unlink()


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
