"""How long P1 takes on several workers of dask, and what a killed worker costs.

    python benchmarks/cluster.py --workers 3
    python benchmarks/cluster.py --workers 3 --prepared CLONE   # P0 of ci is done in CLONE

A clone of the last commit computes P0 of the profile `ci`. Copies of it then compute P1: on one
worker, on several, and on several of which one is killed in the middle of K-2. Each copy has its
own store, so nothing is taken from another one's run cache.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dust_core.declared.specs import load_yaml

ROOT = Path(__file__).resolve().parents[1]
DUST = (sys.executable, "-m", "dust_core")
SECONDS_BEFORE_KILL = 8.0


@dataclass(frozen=True)
class Run:
    """One computation of P1.

    Attributes:
        seconds: by the clock, from the command's start to its end.
        code: its exit code.
        lines: what it printed about stages on workers.
    """

    seconds: float
    code: int
    lines: tuple[str, ...]

    def starts(self) -> Counter[str]:
        """How often each stage started."""
        return Counter(line.split()[0] for line in self.lines if " starts on " in line)


def main() -> None:
    """Print the times and what ran."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--prepared", type=Path, help="a clone in which P0 of ci is done")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dust-cluster-") as name:
        folder = Path(name)
        prepared = arguments.prepared or prepare(folder / "prepared")
        one = measure(prepared, folder / "one", 1)
        several = measure(prepared, folder / "several", arguments.workers)
        killed = measure(prepared, folder / "killed", arguments.workers, kill="K-2")
        made = {networks(folder / name) for name in ("one", "several", "killed")}
    print()
    for what, run in (
        ("one worker", one),
        (f"{arguments.workers} workers", several),
        (f"{arguments.workers} workers, one killed", killed),
    ):
        again = ", ".join(f"{stage} {n} times" for stage, n in run.starts().items() if n > 1)
        print(f"{what:26} {run.seconds:6.0f} s  exit {run.code}  more than once: {again or '-'}")
    print(f"one worker takes {one.seconds / several.seconds:.2f} times as long as several")
    print(f"the networks of all three are the same, byte by byte: {len(made) == 1}")


def prepare(clone: Path) -> Path:
    """A clone of the last commit after P0."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    subprocess.run([*DUST, "repro", "P0", "--profile", "ci"], cwd=clone, check=True)
    return clone


def measure(prepared: Path, copy: Path, workers: int, kill: str = "") -> Run:
    """Compute P1 in a copy of a clone.

    Args:
        prepared: the clone.
        copy: the copy's folder.
        workers: how many workers.
        kill: the stage whose first worker is killed.
    """
    shutil.copytree(prepared, copy, symlinks=True)
    command = (*DUST, "repro", "P1", "--profile", "ci", "--on", f"local:{workers}")
    print(f"P1 with {workers} workers{f', {kill} is killed' if kill else ''}", flush=True)
    started, lines = time.monotonic(), []
    with subprocess.Popen(command, cwd=copy, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " on worker " not in line:
                continue
            lines.append(line.rstrip())
            print(f"  {time.monotonic() - started:5.0f} s  {line}", end="", flush=True)
            if kill and line.startswith(f"{kill} starts"):
                time.sleep(SECONDS_BEFORE_KILL)
                os.kill(worker_of(copy, kill), signal.SIGKILL)
                kill = ""
    return Run(time.monotonic() - started, process.returncode, tuple(lines))


def worker_of(copy: Path, stage: str) -> int:
    """The number of the process that runs a stage in a worker's clone (Linux)."""
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            inside = (process / "cwd").resolve().is_relative_to(copy.resolve())
            if inside and "dust_eval.gates.dvc_command" in words and f":{stage}" in words[-2]:
                return int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    raise SystemExit(f"no worker runs {stage}: it ended before it could be killed")


def networks(clone: Path) -> tuple[tuple[str, str], ...]:
    """The networks that a clone's lock names, with their hashes."""
    lock = load_yaml(clone / "pipelines" / "ci" / "dvc.lock").data
    files = (file for stage in lock["stages"].values() for file in stage["outs"])
    return tuple(sorted((file["path"], file["md5"]) for file in files if ".pth" in file["path"]))


if __name__ == "__main__":
    main()
