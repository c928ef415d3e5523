"""What the project stores of its tasks today: cases name figures that every run changes."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from declared_specs import specs

from dust_core.declared.change.executed import Execution, executions
from dust_core.declared.records.ledger import read_ledger

ROOT = Path(__file__).parents[3]
STORE = Path("store", "files", "md5")
PROFILE = "small"


@cache
def executed() -> Mapping[str, Execution]:
    """What the lock has of every executed task."""
    return executions({"dvc.lock": (ROOT / "dvc.lock").read_bytes()}, PROFILE)


def stored_file(md5: str) -> Path:
    """Where the store has a file."""
    return ROOT / STORE / md5[:2] / md5[2:]


@cache
def stored(task: str) -> dict[str, Any]:
    """The values of a task's result file, as the lock has it.

    A log has the name of the run that was executed, which is older where the specs have the next.
    """
    names = (f"/{specs().task(task).result_file(task)}", "_log.json")
    outputs = executed()[task].outputs.items()
    md5 = next(md5 for path, md5 in outputs if path.endswith(names))
    content = stored_file(md5).read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(content)
    return values


def kept_student() -> str:
    """The task whose student K-4 kept."""
    return str(stored("K-4")["extra"]["kept"])


@cache
def missed_task() -> str:
    """A task whose last execution missed its lines."""
    paths = sorted((ROOT / "executions" / PROFILE).glob("*.jsonl"))
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    last = [ledger.lines[-1] for ledger in read_ledger(files) if ledger.lines]
    missed = [line.task for line in last if line.verdict == "fail"]
    assert missed, "no task misses its lines: choose another case"
    return missed[0]


def delta1(values: dict[str, Any], role: str) -> float:
    """delta1 of the first pair of a file's first result of a role."""
    pairs = next(r for r in values["results"] if r["provenance"]["role"] == role)["provenance"]
    return float(pairs["per_pair"]["delta1"][0])
