"""Signals at random moments of `dust repro P3 --profile ci`, and what its files are afterwards.

    python benchmarks/faults_chain.py [--kills 100] [--stage P3] [--seed 22] [--longest 60]
    python benchmarks/faults_chain.py --each 20

Works on clones of HEAD, in the environment that runs this script. The stage runs once undisturbed.
Then it runs until so many signals (SIGKILL, SIGINT and SIGTERM in turn) have reached it, each after
at most --longest seconds. With --each, so many SIGINT and SIGTERM reach each task instead, at a
random moment of the time that it takes. Where a run reaches its end, its files are compared and a
new clone starts. A fault is: a finished file that is made anew, a stage that no longer runs, a
process that stays, an exit code that a shell does not report as 130 or 143, a traceback, or at the
end a network, graph or engine that is not that of the undisturbed run, byte by byte. Exits 1 if
there is one. A run is minutes of work, and each signal interrupts it.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dust_core.declared.project import DEVICE_FILE
from dust_core.stopping import STARTER

ROOT = Path(__file__).parents[1]
PROFILE = "ci"
ARTIFACTS = Path("artifacts") / PROFILE
COMPARED = (".pth", ".onnx", ".trt")
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
CODES = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
LINGERS_S = 10.0  # what a stopped run may need to end its children


@dataclass(frozen=True)
class Attack:
    """A signal, and when it is sent.

    Attributes:
        sent: the signal.
        after: seconds after the start of the run, or of the task.
        task: the task that it shall reach; None for any.
    """

    sent: signal.Signals
    after: float
    task: str | None = None

    def __str__(self) -> str:
        """As the table names it."""
        return f"{self.sent.name} {self.after:.1f} s into {self.task or 'the run'}"


@dataclass(frozen=True)
class Run:
    """A run of the stage.

    Attributes:
        ended: whether it reached its end; otherwise a signal stopped it.
        seconds: from the signal until no process of it was left.
        faults: what was not as it should be.
    """

    ended: bool
    seconds: float
    faults: list[str]


def clone(folder: Path) -> Path:
    """A clone of HEAD, on a branch `main` of its own; the stage pulls what it needs."""
    target = folder / "clone"
    shutil.rmtree(target, ignore_errors=True)
    for command in (
        ("git", "clone", "--quiet", "--shared", str(ROOT), str(target)),
        ("git", "-C", str(target), "checkout", "--quiet", "-B", "main", head()),
        ("git", "-C", str(target), "remote", "remove", "origin"),
    ):
        subprocess.run(command, check=True)
    return target


def head() -> str:
    """The commit whose files are tried."""
    command = ("git", "-C", str(ROOT), "rev-parse", "HEAD")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def start(project: Path, stage: str) -> subprocess.Popen[str]:
    """The stage in a process group of its own, as a shell would start it."""
    log = (project / "run.log").open("w")
    command = [sys.executable, "-m", "dust_core", "repro", stage, "--profile", PROFILE]
    ends_with_us = {**os.environ, STARTER: str(os.getpid())}
    return subprocess.Popen(
        command, cwd=project, env=ends_with_us, stdout=log, stderr=log, text=True,
        start_new_session=True,
    )  # fmt: skip


def digests(project: Path) -> dict[str, str]:
    """SHA-256 of each network, graph and engine that tasks wrote."""
    folder = project / ARTIFACTS
    files = sorted(path for path in folder.glob("*") if path.suffix in COMPARED)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def finished(project: Path) -> dict[Path, int]:
    """When each output was written whose stage the lock names and does not always run."""
    lock = project / "pipelines" / PROFILE / "dvc.lock"
    known = lock.read_text() if lock.is_file() else ""
    files = (project / ARTIFACTS).glob("*")
    done = (path for path in files if f"/{path.name}\n" in known and path.name != DEVICE_FILE)
    return {path: path.stat().st_mtime_ns for path in done}


def processes(project: Path) -> list[str]:
    """Processes that still work in a clone."""
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve().is_relative_to(project):
                left.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it ended, or belongs to somebody else
            continue
    return left


def spans(project: Path) -> dict[str, float]:
    """The tasks that the last run executed, in order, with the seconds that each took."""
    said = (project / "run.log").read_text(errors="replace")
    return {task: float(took) for task, took in re.findall(r"(\S+) is done after (\d+) s", said)}


def run(project: Path, stage: str, attack: Attack | None) -> Run:
    """Run the stage, and send it a signal; None leaves it alone."""
    before = finished(project)
    process = start(project, stage)
    begun = attack is not None and begins(process, project, attack.task)
    if attack is not None and begun and not ends_within(process, attack.after):
        process.send_signal(attack.sent)
    else:
        process.wait()
    stopped = time.monotonic()
    code = process.wait()
    while (left := processes(project)) and time.monotonic() - stopped < LINGERS_S:
        time.sleep(0.1)
    seconds = time.monotonic() - stopped
    faults = [f"still running: {command}" for command in left]
    faults += [f"made anew: {path.name}" for path, made in before.items() if made_at(path) != made]
    said = (project / "run.log").read_text(errors="replace")
    ended = code in (0, 1)
    # A process that loads or has ended its work dies of the signal; a shell says 130 or 143 too.
    allowed = ended or (attack is not None and code in (CODES[attack.sent], -attack.sent))
    if "Traceback" in said or (ended and "error:" in said) or not allowed:
        faults.append(f"code {code} after {attack}: {said}")
    return Run(ended, seconds, faults)


def begins(process: subprocess.Popen[str], project: Path, task: str | None) -> bool:
    """Wait until a task has begun; False where the run ends before. None has begun at once."""
    while task is not None and f"{task}: " not in (project / "run.log").read_text(errors="replace"):
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def ends_within(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process ends by itself in that time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def made_at(path: Path) -> int:
    """When a file was written; 0 if it is gone."""
    return path.stat().st_mtime_ns if path.exists() else 0


def attacks(options: argparse.Namespace, took: dict[str, float]) -> Iterator[Attack]:
    """The signals of a campaign, one after another."""
    rng = random.Random(options.seed)
    if options.each is None:
        for number in range(options.kills):
            sent = SIGNALS[number % len(SIGNALS)]
            yield Attack(sent, rng.uniform(0.5, options.longest))
        return
    for task, seconds in took.items():
        for sent in options.each * (signal.SIGINT, signal.SIGTERM):
            yield Attack(sent, rng.uniform(0, seconds + 1), task)


def main() -> None:
    """Send the signals and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--each", type=int)
    parser.add_argument("--stage", default="P3")
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--longest", type=float, default=60.0)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    faults, longest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        project = clone(Path(folder))
        run(project, options.stage, None)
        expected, took = digests(project), spans(project)
        print(f"undisturbed: {len(expected)} files, {sum(took.values()):.0f} s", flush=True)
        project = clone(Path(folder))
        outcome = Run(ended=True, seconds=0.0, faults=[])
        for attack in (*attacks(options, took), None):  # at the end, what was interrupted
            if attack is None and outcome.ended:
                break
            outcome = run(project, options.stage, attack)
            found = outcome.faults
            if outcome.ended:
                if digests(project) != expected:
                    found = [*found, f"silently other: {differing(project, expected)}"]
                project = clone(Path(folder))
            elif attack is not None:
                counts[attack.sent.name] += 1
                longest = max(longest, outcome.seconds)
                print(f"{counts.total()}: {attack} took {outcome.seconds:.1f} s", flush=True)
            for fault in found:
                print(f"after {counts.total()} signals: {fault}", file=sys.stderr, flush=True)
            faults += len(found)
    sums = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"{sums}: {faults} faults; the longest took {longest:.1f} s to end")
    sys.exit(1 if faults else 0)


def differing(project: Path, expected: dict[str, str]) -> str:
    """The names of the files that are not those of the undisturbed run."""
    have = digests(project)
    return ", ".join(
        name for name in sorted(have | expected) if have.get(name) != expected.get(name)
    )


if __name__ == "__main__":
    main()
