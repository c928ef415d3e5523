"""Gather what results are checked against: the folder, dvc.lock and git."""

import datetime as dt
import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from dust_core.bounded import MANIFEST_BYTES, read_json_bounded
from dust_core.declared.project import ARTIFACTS, DEVICE_FILE, lock_path
from dust_core.declared.reading.yaml_text import load_yaml
from dust_core.declared.records.proof.evidence import Evidence, Stored, Written
from dust_core.declared.records.result import ResultFile
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask


def gathered(folder: Path, tasks: "Mapping[str, ResolvedTask]") -> Evidence:
    """The evidence on the result files of a profile's folder.

    A file that is not a result, or cannot be read, is passed over: no result can refer to it.
    """
    files = {}
    for path in sorted(path for path in folder.glob("*.json") if path.is_file()):
        try:
            files[path.name] = ResultFile.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
    return evidence_of(folder, str(folder), files, tasks)


def evidence_of(
    folder: Path,
    name: str,
    files: Mapping[str, ResultFile],
    tasks: "Mapping[str, ResolvedTask]",
) -> Evidence:
    """The evidence on results that were read already.

    Args:
        folder: the profile's folder, two levels below the project.
        name: the folder, as messages name it.
        files: its result files by name.
        tasks: every task under the profile, by id.
    """
    stored = {}
    for file_name, file in files.items():
        content = (folder / file_name).read_bytes()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()  # DVC's
        sha256 = hashlib.sha256(content).hexdigest()
        stored[file_name] = Stored(name=file_name, md5=md5, sha256=sha256, file=file)
    project = folder.parent.parent
    lock = lock_path(folder.name)
    commits = {
        result.provenance.commit for entry in stored.values() for result in entry.file.results
    }
    return Evidence(
        folder=name,
        tasks=tasks,
        files=stored,
        lock=lock.as_posix(),
        outputs=recorded_outputs(folder),
        sizes=_sizes(folder),
        commits=_history(project, commits),
        device=_device(folder / DEVICE_FILE),
    )


def recorded_outputs(folder: Path) -> dict[str, Written]:
    """The outputs of a profile in its lock, by name in its folder; empty where there is no lock.

    Args:
        folder: the profile's folder of artifacts, two levels below the project.

    Raises:
        DustError: it is not a lock that DVC wrote.
    """
    profile = folder.name
    lock = folder.parent.parent / lock_path(profile)
    if not lock.is_file():
        return {}
    data = load_yaml(lock).data
    prefix = f"{(ARTIFACTS / profile).as_posix()}/"
    try:
        return {
            output["path"].removeprefix(prefix): Written(
                md5=str(output.get("md5")), size=int(output.get("size", 0))
            )
            for stage in data["stages"].values()
            for output in stage.get("outs", ())
            if output["path"].startswith(prefix)
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DustError(
            "not a lock that DVC wrote",
            where=str(lock),
            fix="restore the file; 'dvc repro' and 'dvc commit' alone write it",
        ) from error


def _sizes(folder: Path) -> dict[str, int]:
    """The sizes of the artifacts, each with its external data."""
    sizes: dict[str, int] = {}
    for file in folder.iterdir():
        if file.is_file():
            name = file.name.removesuffix(".data")
            sizes[name] = sizes.get(name, 0) + file.stat().st_size
    return sizes


def _device(file: Path) -> str | None:
    if not file.is_file():
        return None
    try:
        return str(read_json_bounded(file, MANIFEST_BYTES)["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _history(project: Path, commits: Iterable[str]) -> dict[str, dt.datetime] | None:
    """The commits up to the present one with their times.

    None where there is no repository, or where a shallow clone lacks one of `commits`.
    """
    listed = _git(project, "log", "--format=%H %ct", "HEAD")
    if listed is None:
        return None
    history = {
        commit: dt.datetime.fromtimestamp(int(seconds), dt.UTC)
        for commit, seconds in (line.split() for line in listed.splitlines())
    }
    if not history.keys() >= set(commits):
        shallow = _git(project, "rev-parse", "--is-shallow-repository")
        return None if shallow is None or shallow.strip() == "true" else history
    return history


def _git(folder: Path, *arguments: str) -> str | None:
    """The output of git; None where it is not installed or refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
