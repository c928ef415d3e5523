"""Files outside of the specs that decide results, and which of them a change touches.

The list of patterns is here only. .github/CODEOWNERS has an owner for each of them, and a test
compares the two.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dust_core.declared.change.git import Repository, Revision
from dust_core.declared.reading.codeowners import Entry
from dust_core.declared.records import sources

DECLARED = (
    "/specs/",
    "/dvc.yaml",
    "/dvc.lock",
    "/pipelines/",
    "/executions/",
    "/tests/core/declared/",
)
"""Patterns of what decides results and is shown elsewhere in the review, or tests the judge."""

MEASURING = "measuring code"

GENERATED = "stages, as `dust pipeline` writes them"
"""The group of files that follow from the specs: `dust pipeline --check` compares them."""


def _below_packages(places: Iterable[str]) -> Iterator[str]:
    """Sources of the packages as patterns."""
    for place in places:
        package = place.partition("/")[0]
        end = "" if place.endswith(".py") else "/"
        yield f"/packages/{package.replace('_', '-')}/src/{place}{end}"


DECIDING: dict[str, tuple[str, ...]] = {
    GENERATED: ("/dvc.yaml", "/pipelines/*/dvc.yaml"),
    MEASURING: tuple(_below_packages(sources.MEASURING)),
    "training code": ("/packages/dust-compress/src/",),
    "judging code": ("/packages/dust-core/src/", "/packages/dust-eval/src/"),
    "environment": (
        "/requirements.lock",
        "/pyproject.toml",
        "/*.py",
        "/*/__init__.py",
        "/packages/",
        "/containers/",
    ),
    "data and store": (
        "*.dvc",
        "dvc.yaml",
        "dvc.lock",
        ".dvcignore",
        "/.dvc/",
        "/store/",
        "/artifacts/",
        "/tools/levels/",
    ),
    "review": (
        "/.github/",
        "/.ci/",
        "/tests/review/",
        "/CODEOWNERS",
        "/docs/CODEOWNERS",
        "/.gitattributes",
        "/.gitmodules",
    ),
}
"""Patterns by what the files decide, as CODEOWNERS has them; a file is in the first group that has
it. `/` at the end means everything below, `*` is a part of one name."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that a change touches: its path from the project, and A, M, D or T as git says."""

    path: str
    status: str


@dataclass(frozen=True, slots=True)
class DecidingFiles:
    """The files of a group that a change touches."""

    group: str
    files: tuple[ChangedFile, ...]


def deciding_files(
    repository: Repository, fork: Revision, tip: Revision | None
) -> tuple[DecidingFiles, ...]:
    """The files outside of the specs that decide results and that a change touches, by group.

    Args:
        repository: the repository around the project.
        fork: the commit where the change left its base.
        tip: the last commit of the change; None for the working tree with its untracked files.

    Raises:
        DustError: git cannot list the files.
    """
    return group_files(
        ChangedFile(path, status) for status, path in repository.changed_files(fork, tip)
    )


def group_files(files: Iterable[ChangedFile]) -> tuple[DecidingFiles, ...]:
    """Files by the group that has them, in the order of `DECIDING`; other files are left out."""
    members: dict[str, list[ChangedFile]] = {}
    for file in sorted(files, key=lambda file: file.path):
        if group := group_of(file.path):
            members.setdefault(group, []).append(file)
    return tuple(
        DecidingFiles(group, tuple(members[group])) for group in DECIDING if group in members
    )


def group_of(path: str) -> str:
    """What a file decides, a key of `DECIDING`; empty where it decides nothing by itself."""
    groups = (name for name, patterns in DECIDING.items() if _matches(patterns, path))
    return next(groups, "")


def decides(path: str) -> bool:
    """Whether a file, relative to the root of the repository, decides a result in any way."""
    return _matches(DECLARED, path) or bool(group_of(path))


def _matches(patterns: tuple[str, ...], path: str) -> bool:
    return any(Entry(0, pattern, ()).matches(path) for pattern in patterns)
