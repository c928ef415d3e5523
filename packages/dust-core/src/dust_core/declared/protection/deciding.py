"""The files that decide a result, or what is said of it."""

from dust_core.declared.protection.owners import Entry

DECIDING = (
    "/specs/",
    "/dvc.yaml",
    "/dvc.lock",
    "/pipelines/",
    "/executions/",
    "/packages/",
    "/pyproject.toml",
    "/noxfile.py",
    "/requirements.lock",
    "/containers/",
    "/.dvc/",
    "/.dvcignore",
    "/.gitattributes",
    "/.gitmodules",
    "/data/*.dvc",
    "/store/",
    "/.ci/",
    "/.github/",
    "/tools/levels/",
    "/tests/review/",
    "/tests/core/declared/",
    "/CODEOWNERS",
    "/docs/CODEOWNERS",
)
"""Patterns as in CODEOWNERS."""

_ENTRIES = tuple(Entry(0, pattern, ()) for pattern in DECIDING)


def decides(path: str) -> bool:
    """Whether a file, relative to the root of the repository, decides a result."""
    return any(entry.matches(path) for entry in _ENTRIES)
