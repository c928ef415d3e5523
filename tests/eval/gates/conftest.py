"""Lets the tests of this folder import their lines and the results that tests make up."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dust_core.cli import main

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "declared" / "records"))
sys.path.insert(0, str(Path(__file__).parent))

SPECS = Path(__file__).parents[3] / "specs"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which all of P4 was executed and passes; the current one is its project."""
    from pruned_results import write_all

    folder = tmp_path / "artifacts" / "small"
    write_all(folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def gate(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `dust gate` and gives its exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ending:
            main(["gate", *arguments, "--specs", str(SPECS)])
        captured = capsys.readouterr()
        code = ending.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return run
