"""Find the specs, results, tables, artifacts and graphs below a PATH, as subjects of rules."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dust_core.declared.checks.engine import Subject
from dust_core.declared.checks.subjects import (
    Artifacts,
    ExecutedSpecs,
    Graph,
    ResultJson,
    SpecTree,
    Table,
    YamlFile,
)
from dust_core.declared.records.ledger import LEDGER
from dust_core.errors import DustError

SPEC_FOLDERS = ("v1", "profiles")
MODEL_SUFFIXES = (".pth", ".onnx", ".trt", ".safetensors")

_ORDER = ("workload", "gates", "baseline", "distill", "quant", "kq", "prune", "ablation")


@dataclass(slots=True)
class Project:
    """Everything to judge.

    Attributes:
        subjects: each after its parts; the files to compare with are among them.
        asked: names of the files and folders that findings are reported on; a folder includes the
            files in it.
    """

    subjects: list[Subject] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    @property
    def files(self) -> set[str]:
        """The files that findings are reported on."""
        folders = (
            subject.path for subject in self.subjects if isinstance(subject, SpecTree | Artifacts)
        )
        return self.asked.difference(folders)

    def covers(self, path: str) -> bool:
        """Whether findings on a file are reported, or the file is only there for comparison."""
        return path in self.asked


def discover(paths: Sequence[Path]) -> Project:
    """The subjects under `paths`; without paths, those of the project in the current folder.

    Raises:
        DustError: a path does not exist, or holds nothing that a rule looks at.
    """
    return _Discovery().run(paths or [Path()])


def shown(path: Path) -> str:
    """A path as messages name it: relative to the current folder if it lies below that."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


class _Discovery:
    """Gathers subjects, each file once even if several paths lead to it."""

    def __init__(self) -> None:
        self._project = Project()
        self._trees: dict[Path, SpecTree] = {}
        self._artifacts: dict[Path, Artifacts] = {}
        self._single: dict[Path, Subject] = {}

    def run(self, paths: Sequence[Path]) -> Project:
        for path in paths:
            whole = Path(os.path.abspath(path))  # noqa: PTH100 - as in `shown`
            if not whole.exists():
                raise DustError(
                    "there is no such file or folder", where=str(path), fix="check the path"
                )
            try:
                asked = self._folder(whole) if whole.is_dir() else self._file(whole)
            except OSError as error:
                raise DustError(
                    f"cannot read it: {error.strerror or error}",
                    where=str(error.filename or path),
                    fix="check the permissions",
                ) from error
            self._project.asked |= asked
            if not asked:
                raise DustError(
                    "nothing here can be validated: no specs, result files, tables or graphs",
                    where=str(path),
                    fix="name a folder of specs or artifacts, or a .yaml, .json, .csv or .onnx "
                    "file",
                )
        for tree in self._trees.values():
            executed = _executed(tree)
            self._project.subjects += [*tree.parts, tree, *executed]
            if tree.path in self._project.asked:
                self._project.asked |= {name for part in executed for name in part.names.values()}
        for artifacts in self._artifacts.values():
            self._project.subjects += [*artifacts.parts, artifacts]
        self._project.subjects += self._single.values()
        return self._project

    def _folder(self, folder: Path) -> set[str]:
        if _holds_specs(folder):
            return _below(self._tree(folder if _is_root(folder) else folder.parent), folder)
        specs, artifacts = folder / "specs", folder / "artifacts"
        asked: set[str] = set()
        if _holds_specs(specs):
            asked |= _below(self._tree(specs), folder)
        if artifacts.is_dir():
            asked |= self._walk(artifacts)
        # A YAML file beside results is a task's output, not a spec.
        asked = asked or self._walk(folder)
        if not asked and _spec_files(folder):
            return _below(self._tree(folder), folder)
        return asked

    def _file(self, file: Path) -> set[str]:
        name = shown(file)
        match file.suffix:
            case ".yaml" | ".yml":
                root = file.parent.parent if file.parent.name in SPEC_FOLDERS else file.parent
                return _below(self._tree(root), file)
            case ".json":
                folder = self._artifact_folder(file.parent)
                if name not in {result.path for result in folder.results}:
                    self._single.setdefault(file, ResultJson(name, file, folder.specs))
            case ".csv":
                self._add_table(file)
            case ".onnx":
                self._single.setdefault(file, Graph(name, file))
            case _:
                return set()
        return {name}

    def _walk(self, folder: Path) -> set[str]:
        asked: set[str] = set()
        for here, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            artifacts = self._artifact_folder(Path(here))
            if artifacts.results or artifacts.files:
                asked |= {artifacts.path, *(result.path for result in artifacts.results)}
                asked |= {f"{artifacts.path}/{name}" for name in artifacts.files}
            for file in (Path(here, name) for name in sorted(names)):
                if file.name == "result_table.csv":
                    self._add_table(file)
                    asked.add(shown(file))
                elif file.suffix == ".onnx":
                    self._single.setdefault(file, Graph(shown(file), file))
                    asked.add(shown(file))
        return asked

    def _add_table(self, file: Path) -> None:
        results = self._artifact_folder(file.parent).results
        self._single.setdefault(file, Table(shown(file), file, results))

    def _tree(self, root: Path) -> SpecTree:
        if root not in self._trees:
            files = _spec_files(root)
            for name in SPEC_FOLDERS:
                files += _spec_files(root / name)
            parts = tuple(YamlFile(shown(file), file) for file in files)
            self._trees[root] = SpecTree(shown(root), root, parts)
        return self._trees[root]

    def _artifact_folder(self, folder: Path) -> Artifacts:
        if folder not in self._artifacts:
            specs = self._specs_above(folder)
            results = tuple(_results_in(folder, specs))
            files = sorted(file.name for file in folder.iterdir() if file.suffix in MODEL_SUFFIXES)
            self._artifacts[folder] = Artifacts(shown(folder), folder, results, tuple(files), specs)
        return self._artifacts[folder]

    def _specs_above(self, folder: Path) -> SpecTree | None:
        for above in (folder, *folder.parents):
            if _holds_specs(above / "specs"):
                return self._tree(above / "specs")
        return None


def _below(tree: SpecTree, place: Path) -> set[str]:
    """The names of a tree's files at or below a path, and of the tree itself if it is there."""
    asked = {part.path for part in tree.parts if place in (part.file, *part.file.parents)}
    return asked | ({tree.path} if place in (tree.folder, *tree.folder.parents) else set())


def _is_root(folder: Path) -> bool:
    return any(_spec_files(folder / name) for name in SPEC_FOLDERS)


def _holds_specs(folder: Path) -> bool:
    return _is_root(folder) or (folder.name in SPEC_FOLDERS and bool(_spec_files(folder)))


def _spec_files(folder: Path) -> list[Path]:
    """The YAML files directly in a folder, in reading order."""
    if not folder.is_dir():
        return []
    files = [file for file in folder.iterdir() if file.suffix in (".yaml", ".yml")]
    return sorted(
        files, key=lambda file: (_ORDER.index(file.stem) if file.stem in _ORDER else 99, file.name)
    )


def _executed(tree: SpecTree) -> list[ExecutedSpecs]:
    """The specs with their locks, ledger and results; empty where nothing was executed."""
    project = tree.folder.parent
    results = tuple(_results(project / "artifacts"))
    paths = [project / "dvc.lock", *sorted(project.glob("pipelines/*/dvc.lock"))]
    paths += sorted((project / LEDGER).rglob("*"))
    files = {path.relative_to(project).as_posix(): path for path in paths if path.is_file()}
    if not (results or files):
        return []
    return [
        ExecutedSpecs(
            tree,
            results,
            {name: path.read_bytes() for name, path in files.items()},
            {name: shown(path) for name, path in files.items()},
        )
    ]


def _results(folder: Path) -> Iterator[ResultJson]:
    """Every result file below a folder."""
    for here, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from _results_in(Path(here), None)


def _results_in(folder: Path, specs: SpecTree | None) -> Iterator[ResultJson]:
    """The result files directly in a folder; other JSON files are skipped."""
    for file in sorted(folder.glob("*.json")):
        result = ResultJson(shown(file), file, specs)
        if result.is_result:
            yield result
