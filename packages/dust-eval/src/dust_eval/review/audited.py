"""What an audit looks at: a revision's results, their artifacts and the workload, in a folder."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.change.git import Repository, Revision
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.reading.yaml_text import parse_yaml
from dust_core.declared.records import ResultFile, read_result_file
from dust_core.errors import DustError
from dust_eval.review.revision import Committed, lay_out, place_results, store_of
from dust_eval.review.stored import Store, fetch

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask


@dataclass(frozen=True)
class Laid:
    """A revision that can be measured.

    Attributes:
        root: the project's folder.
        side: the revision.
        files: the results to audit, by task.
        others: the other results of the profile, by task.
        absent: why a result cannot be had, by task.
    """

    root: Path
    side: Committed
    files: Mapping[str, ResultFile]
    others: Mapping[str, ResultFile]
    absent: Mapping[str, str]

    def task(self, task: str, profile: str) -> "ResolvedTask":
        """A task of the revision, under a profile."""
        from dust_core.declared.specs import resolve

        return resolve(self.side.specs, task, profile)

    def writers(self, profile: str) -> dict[str, str]:
        """The command that writes each file of a profile's folder, by the name of the file."""
        return {
            Path(path).name: f"dust run {task} --profile {profile}"
            for task, execution in self.side.executed[profile].items()
            if task in self.side.specs.tasks
            for path in execution.outputs
        }


def audited_profiles(project: Path, against: str | None) -> list[str]:
    """The profiles of HEAD whose figures may be quoted, there or at the revision `against`.

    Those under which nothing was executed are left out, unless nothing was under any.
    """
    repository = Repository.around(project)
    names = [name for name in ("HEAD", against) if name is not None]
    sides = [Committed.at(repository, repository.revision(name)) for name in names]
    quotable = {name for side in sides for name in side.quotable}
    profiles = [name for name in sides[0].specs.profiles if name in quotable]
    return [name for name in profiles if sides[0].executed[name]] or profiles


def lay_out_for_audit(
    project: Path,
    profile: str,
    wanted: Sequence[str],
    against: str | None,
    folder: Path,
) -> Laid:
    """Fetch what an audit of HEAD needs into a folder.

    Args:
        project: the project's folder, in a clone.
        wanted: the tasks to audit; all that have a result if empty.
        against: a revision: only results that changed since then are audited, and its
            configuration says where contents come from.
        folder: an empty folder.

    Raises:
        DustError: there is no such revision, profile or task; or a lock cannot be read.
    """
    repository = Repository.around(project)
    tip = repository.revision("HEAD")
    base = repository.revision(against) if against else tip
    side = Committed.at(repository, tip)
    side.specs.profile(profile)
    for task in wanted:
        side.specs.task(task)
    store, root = store_of(repository, project, base), folder / "project"
    lay_out(repository, side, root)
    contents = fetch(store, (result.md5 for result in side.listed(profile)), folder / "results")
    absent = place_results(side, profile, contents, root)
    old = Committed.at(repository, base) if against else None
    chosen = [
        result.execution.task
        for result in side.listed(profile)
        if (not wanted or result.execution.task in wanted)
        and (old is None or _changed(old, side, profile, result.execution.task))
    ]
    files = {}
    for result in side.listed(profile):
        task = result.execution.task
        if task not in absent:
            try:
                files[task] = read_result_file(root / result.path)
            except DustError as error:
                absent[task] = f"{result.path}: {error.what}"
    laid = Laid(
        root,
        side,
        {task: files[task] for task in chosen if task in files},
        {task: file for task, file in files.items() if task not in chosen},
        {task: why for task, why in absent.items() if task in chosen},
    )
    if laid.files:
        _fetch_artifacts(laid, store, profile, folder / "artifacts")
        _fetch_workload(laid, store, repository, tip, profile, folder / "workload")
    return laid


def _changed(old: Committed, new: Committed, profile: str, task: str) -> bool:
    """Whether the result of a task, or a file that it wrote, differs from the base's."""
    before = old.executed.get(profile, {}).get(task)
    return before is None or before.outputs != new.executed[profile][task].outputs


def _fetch_artifacts(laid: Laid, store: Store, profile: str, folder: Path) -> None:
    """Place the artifacts that records name, by the digests of the profile's lock."""
    home = ARTIFACTS / profile
    listed = {
        path: md5
        for execution in laid.side.executed[profile].values()
        for path, md5 in execution.outputs.items()
    }
    wanted = {
        path: listed[path]
        for name in dict.fromkeys(_artifacts(laid.files.values()))
        if (path := (home / name).as_posix()) in listed
    }
    contents = fetch(store, wanted.values(), folder)
    for path, md5 in wanted.items():
        source = contents.path(md5)
        if source is not None and source.is_file():
            (laid.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, laid.root / path)


def _artifacts(files: Iterable[ResultFile]) -> Iterator[str]:
    for file in files:
        for result in file.results:
            if result.provenance.per_pair:
                yield from result.provenance.artifacts


def _fetch_workload(
    laid: Laid,
    store: Store,
    repository: Repository,
    revision: Revision,
    profile: str,
    folder: Path,
) -> None:
    """Place the workload's set: the revision's `.dvc` file names it, or the project has it."""
    data = laid.task(next(iter(laid.files)), profile).data
    manifest = Path(data.workload.manifest)
    if manifest.is_absolute() or ".." in manifest.parts:
        raise DustError(
            "the workload is not in the project", where=str(manifest), fix="move it to data/"
        )
    place = manifest.parent
    tracked = f"{place.as_posix()}.dvc"
    target = laid.root / place
    target.parent.mkdir(parents=True, exist_ok=True)
    files = repository.files(revision, tracked)
    if tracked not in files:
        target.symlink_to((store.root / place).absolute())
        return
    md5 = _digest_of(files[tracked], tracked)
    source = fetch(store, [md5], folder).path(md5)
    if source is None:
        raise DustError(
            "the workload cannot be had", where=tracked, fix="push it: `dvc push`", exit_code=1
        )
    shutil.move(source, target)


def _digest_of(content: bytes, path: str) -> str:
    data = parse_yaml(content, path).data
    try:
        return str(data["outs"][0]["md5"])
    except (KeyError, IndexError, TypeError) as error:
        raise DustError(
            "not a file that DVC wrote", where=path, fix="restore it; `dvc add` writes it"
        ) from error
