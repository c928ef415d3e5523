"""CODEOWNERS: which pattern owns a file, by GitHub's rules."""

import pytest

from dust_core.declared.reading.codeowners import parse_owners


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "a/b/c.py", True),
        ("*.py", "a/b/c.py", True),
        ("*.py", "a/b/c.pyc", False),
        ("/packages/", "packages/dust-core/src/a.py", True),
        ("/packages/", "tools/packages/a.py", False),
        ("packages/", "tools/packages/a.py", True),
        ("/packages", "packages/a.py", True),
        ("/packages", "packages", True),
        ("/packages/", "packages", False),
        ("/dvc.lock", "dvc.lock", True),
        ("/dvc.lock", "pipelines/full/dvc.lock", False),
        ("dvc.lock", "pipelines/full/dvc.lock", True),
        ("/data/*.dvc", "data/workload.dvc", True),
        ("/data/*.dvc", "data/more/workload.dvc", False),
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/adr/a.md", False),
        ("docs/**", "docs/adr/a.md", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "ab", False),
        ("**/lock", "a/b/lock", True),
        ("**/lock", "lock", True),
        ("/a?c", "abc", True),
        ("/a?c", "a/c", False),
        ("/Specs/", "specs/v1/gates.yaml", False),
        (r"/a\ b", "a b", True),
        ("/a.c", "abc", False),
    ],
)
def test_a_pattern_matches_as_on_github(pattern: str, path: str, matches: bool) -> None:
    owners = parse_owners(f"{pattern} @team\n")
    assert (owners.of(path) == ("@team",)) is matches


def test_the_last_match_wins_even_without_owners() -> None:
    owners = parse_owners("* @all\n/specs/ @org/approvers a@b.org # both\n/specs/profiles/\n")
    assert owners.of("specs/v1/gates.yaml") == ("@org/approvers", "a@b.org")
    assert owners.of("specs/profiles/small.yaml") == ()
    assert owners.of("README.md") == ("@all",)


def test_a_line_with_a_fault_is_named_and_skipped() -> None:
    owners = parse_owners("/a @team\n/a nobody\n!/a @team\n/[ab] @team\n\n# comment\n")
    assert owners.of("a") == ("@team",)
    assert [fault.partition(":")[0] for fault in owners.faults] == ["line 2", "line 3", "line 4"]
