"""The files outside of the specs that decide results."""

from pathlib import Path

import pytest

from dust_core.declared.change.deciding import DECIDING, deciding_files, group_of
from dust_core.declared.change.git import Repository

ROOT = Path(__file__).parents[4]
EVAL = "packages/dust-eval/src/dust_eval"


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (f"{EVAL}/measure/latency.py", "measuring code"),
        ("packages/dust-core/src/dust_core/network/model/heads.py", "measuring code"),
        (f"{EVAL}/gates/judge.py", "judging code"),
        ("packages/dust-core/src/dust_core/declared/agreed/design.py", "judging code"),
        ("packages/dust-core/src/dust_core/cli.py", "judging code"),
        ("packages/dust-compress/src/dust_compress/train/loop.py", "training code"),
        ("packages/dust-eval/pyproject.toml", "environment"),
        ("noxfile.py", "environment"),
        ("tests/conftest.py", ""),
        ("data/workload.dvc", "data and store"),
        ("data/README.md", ""),
        (".dvc/config", "data and store"),
        ("tools/levels/splits.py", "data and store"),
        (".github/CODEOWNERS", "review"),
        (".ci/run", "review"),
        ("docs/specs.md", ""),
        ("specs/v1/gates.yaml", ""),
        ("elsewhere/requirements.lock", ""),
    ],
)
def test_a_file_decides_what_its_place_says(path, group):
    assert group_of(path) == group


def test_every_source_file_of_the_packages_decides_something():
    sources = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("packages/*/src/**/*.py")]
    assert len(sources) > 200
    assert [path for path in sources if not group_of(path)] == []


def test_every_pattern_has_a_place():
    # Those that may be absent: names that git and GitHub know, and what DVC alone fills.
    optional = ("/CODEOWNERS", "/docs/CODEOWNERS", "/.gitmodules", "/*/__init__.py", "/artifacts/")
    patterns = [pattern for group in DECIDING.values() for pattern in group]
    absent = [
        pattern
        for pattern in patterns
        if pattern not in optional and not list(ROOT.glob(pattern.strip("/")))
    ]
    assert absent == []


def test_every_pattern_has_an_owner():
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    owned = [words[0] for line in lines if len(words := line.split("#")[0].split()) > 1]
    for pattern in (pattern for group in DECIDING.values() for pattern in group):
        covers = [
            name
            for name in owned
            if name == pattern or (name.endswith("/") and pattern.startswith(name))
        ]
        assert covers, f"CODEOWNERS has no owner for {pattern}"


def touched(project, head):
    repository = Repository.around(project.root)
    fork = repository.revision("main")
    groups = deciding_files(repository, fork, repository.revision(head) if head else None)
    return {group.group: [f"{file.status} {file.path}" for file in group.files] for group in groups}


def test_a_change_is_grouped_committed_or_not(project):
    for path in (f"{EVAL}/measure/clock.py", "requirements.lock", "noxfile.py"):
        file = project.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1\n")
    project.merge()
    (project.root / f"{EVAL}/measure/clock.py").write_text("2\n")
    (project.root / "noxfile.py").rename(project.root / "moved.txt")
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc/config").write_text("remote\n")
    project.edit("specs/v1/gates.yaml", "value: 1.0", "value: 0.5")
    expected = {
        "measuring code": [f"M {EVAL}/measure/clock.py"],
        "environment": ["D noxfile.py"],
        "data and store": ["A .dvc/config"],
    }
    assert touched(project, None) == expected
    assert touched(project, "HEAD") == {}
    project.commit()
    assert touched(project, "HEAD") == expected
