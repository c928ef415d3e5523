"""Kills, signals, full disks and damaged files: nothing lost, nothing silently other.

    python benchmarks/faults.py [--seconds 60] [--seed 22] [--only kills ...]

Each campaign repeats its fault for its share of the time, and says what became of the tries:
survived (the same content, or one message of ours), lost (work that was done is done again, or is
gone), silently other (content differs and nothing is said), traceback (an exception that is not
ours), and the longest try in seconds. Each try follows from the seed and its number. Exits 1 if
anything is lost, silently other or a traceback.
"""

import argparse
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mutants import MUTATIONS, mutated

from dust_core.errors import DustError

STAGES = 4
SPENT_S = 0.2  # by a stage of the line
OUTCOMES = ("survived", "lost", "silently other", "traceback")
SIZES = (0, 1, 100, 511, 512, 4096, 65_536, 100_000, 200_000, 300_000)

Try = Callable[[random.Random, Path], str]
"""A fault in a folder of its campaign; it gives what became of it."""


def line() -> None:
    """What `dust repro` does with DVC, in the current folder."""
    from dust_core.declared.dvc_files import mend
    from dust_core.stopping import stop_signals
    from dust_eval.gates.dvc_process import run_dvc

    with stop_signals() as stop:
        try:
            stop.unblock()
            mend(Path(), "small")
            run_dvc("small", "repro")
        except KeyboardInterrupt:
            sys.exit(stop.exit_code)
        except DustError as error:
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)


def stage(number: int) -> None:
    """A stage that writes a file which follows from the one before, and notes that it is done."""
    from dust_core.files import atomic_write_text
    from dust_core.stopping import stop_signals

    with stop_signals() as stop:
        try:
            stop.unblock()
            before = Path(f"{number - 1}.txt").read_text() if number else ""
            time.sleep(SPENT_S)
            atomic_write_text(Path(f"{number}.txt"), f"{before}{number}\n")
        except KeyboardInterrupt:
            sys.exit(stop.exit_code)


def make_line(folder: Path) -> None:
    """A DVC project of a few stages, each of which reads the one before."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    program = f"{sys.executable} {Path(__file__).resolve()}"
    text = "stages:\n"
    for number in range(STAGES):
        text += f"  s{number}:\n    cmd: {program} --stage {number}\n"
        text += f"    deps: [{number - 1}.txt]\n" if number else ""
        text += f"    outs: [{number}.txt]\n"
    (folder / "dvc.yaml").write_text(text)


def kills(number: signal.Signals) -> Try:
    """A signal at a random moment of a line, and the line again to its end."""

    def attempt(rng: random.Random, folder: Path) -> str:
        project = folder / "line"
        shutil.rmtree(project, ignore_errors=True)
        make_line(project)
        command = [sys.executable, str(Path(__file__).resolve()), "--line"]
        # As a stage starts: a signal that comes while Python loads waits for the handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        process = subprocess.Popen(
            command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            process.wait(rng.uniform(0.2, 3.5))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        said, _ = process.communicate()
        if "Traceback" in said:
            print(said, file=sys.stderr)
            return "traceback"
        done = [path for path in sorted(project.glob("*.txt")) if path.stat().st_size]
        times = {path: path.stat().st_mtime_ns for path in done[:-1]}
        again = subprocess.run(command, cwd=project, capture_output=True, text=True)
        if again.returncode:
            print(f"first run:\n{said}\nrun again:\n{again.stdout}{again.stderr}", file=sys.stderr)
            return "traceback" if "Traceback" in again.stderr else "lost"
        expected = "".join(f"{n}\n" for n in range(STAGES))
        if (project / f"{STAGES - 1}.txt").read_text() != expected:
            return "silently other"
        rerun = any(path.stat().st_mtime_ns != made for path, made in times.items())
        return "lost" if rerun else "survived"

    return attempt


def locks(rng: random.Random, folder: Path) -> str:
    """A lock that was cut at a random place, beside its copy."""
    from dust_core.declared.dvc_files import keep_lock, repair_lock
    from dust_core.declared.reading.yaml_text import parse_yaml

    (folder / ".dvc").mkdir(exist_ok=True)
    lock = folder / "dvc.lock"
    entry = "  s{0}:\n    cmd: run {0}\n    outs:\n    - path: {0}.txt\n      md5: {1:032x}\n"
    whole = "schema: '2.0'\nstages:\n" + "".join(
        entry.format(number, rng.getrandbits(128)) for number in range(rng.randrange(1, 9))
    )
    lock.write_text(whole)
    keep_lock(folder, "small")
    lock.write_text(whole[: rng.randrange(len(whole))])
    said = repair_lock(folder, "small")
    if said is not None:
        return "survived" if lock.read_text() == whole else "silently other"
    # A cut where a stage ends is a lock with fewer stages, which DVC's run cache completes.
    left = parse_yaml(lock.read_bytes(), "dvc.lock").data["stages"]
    kept = parse_yaml(whole.encode(), "dvc.lock").data["stages"]
    return "survived" if left and left.items() <= kept.items() else "lost"


def checkpoints(*, seal: bool) -> Try:
    """A checkpoint with random damage, with the digest inside or as earlier versions wrote it."""

    def attempt(rng: random.Random, folder: Path) -> str:
        import torch

        from dust_core.network.checkpoint import load_checkpoint, save_checkpoint, weights_digest
        from dust_core.network.checkpoint.seal import SEAL
        from dust_core.network.model import Dust3r, Dust3rConfig

        path, whole = folder / "a.pth", folder / "whole.pth"
        if not whole.exists():
            shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
            config = Dust3rConfig.uniform(**shape, dec_heads=1, head="linear", patch_size=8)
            save_checkpoint(Dust3r(config), whole, exp_id="K_run1", spec_digest="ab" * 32)
            if not seal:
                content = torch.load(whole, weights_only=True)  # noqa: TID251 - written above
                torch.save({k: v for k, v in content.items() if k != SEAL}, whole)
        expected = load_checkpoint(whole)
        content = whole.read_bytes()
        # Damage does not make the sums of an archive right; the digest holds where somebody does.
        changed = mutated(rng, content) if seal else rng.choice(MUTATIONS)(rng, content)
        path.write_bytes(changed)
        loaded = load_checkpoint(path, finite=False)
        same = weights_digest(loaded.network) == weights_digest(expected.network)
        same &= (loaded.exp_id, loaded.spec_digest) == (expected.exp_id, expected.spec_digest)
        return "survived" if same else "silently other"

    return attempt


def shards(rng: random.Random, folder: Path) -> str:
    """A set with random damage in a tar, an index or the manifest, as training reads it."""
    from dust_core.pairs.shards.sample import encode
    from dust_core.pairs.shards.store import SampleStore
    from dust_core.pairs.shards.tars import write_shards

    whole, copy = folder / "whole", folder / "copy"
    if not whole.exists():
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core" / "pairs"))
        from miniature import pair

        samples = [encode(pair(n, n + 1), picture="png") for n in range(4)]
        write_shards(samples, whole, split="training", licence="CC0-1.0", pairs_per_shard=2)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    # The manifest is frozen by its SHA-256 in the specs.
    path = rng.choice([path for path in sorted(copy.iterdir()) if path.suffix != ".json"])
    path.write_bytes(mutated(rng, path.read_bytes()))
    contents = []
    for place in (whole, copy):
        store = SampleStore(place)
        try:
            contents.append([store.read(number) for number in range(len(store))])
        finally:
            store.close()
    return "survived" if contents[0] == contents[1] else "silently other"


def full_disk(rng: random.Random, folder: Path) -> str:
    """Writes that fail after so many bytes of a file, over a file that is there."""
    import torch

    from dust_core.files import atomic_path

    path = folder / "a.pt"
    path.write_bytes(b"the old one")
    content, size = {"a": torch.zeros(60_000)}, rng.choice(SIZES)
    size += rng.randrange(100) if size else 0
    stream = io.BytesIO()
    torch.save(content, stream)
    try:
        with disk_of(size), atomic_path(path) as part, part.open("wb") as file:
            torch.save(content, file)
    except DustError:
        whole = path.read_bytes() == b"the old one"
        return "survived" if whole and not list(folder.glob(".*.part")) else "lost"
    return "survived" if path.stat().st_size == len(stream.getvalue()) else "silently other"


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes of a file fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


CAMPAIGNS: dict[str, Try] = {
    "SIGKILL": kills(signal.SIGKILL),
    "SIGINT": kills(signal.SIGINT),
    "SIGTERM": kills(signal.SIGTERM),
    "locks": locks,
    "checkpoints": checkpoints(seal=True),
    "checkpoints without a digest": checkpoints(seal=False),
    "shards": shards,
    "full disk": full_disk,
}


def campaign(name: str, seconds: float, seed: int) -> tuple[Counter[str], float]:
    """What became of the tries of a campaign, and the longest, seconds."""
    outcomes: Counter[str] = Counter()
    longest, end = 0.0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            number, start = outcomes.total(), time.monotonic()
            try:
                outcome = CAMPAIGNS[name](random.Random(f"{seed} {name} {number}"), Path(folder))
            except DustError:
                outcome = "survived"
            except Exception:
                traceback.print_exc()
                outcome = "traceback"
            if outcome != "survived":
                print(f"{name} {number}: {outcome}", file=sys.stderr)
            outcomes[outcome] += 1
            longest = max(longest, time.monotonic() - start)
    return outcomes, longest


def main() -> None:
    """Run the campaigns and print their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--only", nargs="+", choices=sorted(CAMPAIGNS), default=list(CAMPAIGNS))
    parser.add_argument("--line", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--stage", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.line:
        line()
    elif options.stage is not None:
        stage(options.stage)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"
        print(f"{'':30}{'tries':>8}" + "".join(f"{o:>16}" for o in OUTCOMES) + f"{'longest':>10}")
        faults = 0
        for name in options.only:
            counts, longest = campaign(name, options.seconds / len(options.only), options.seed)
            faults += counts.total() - counts["survived"]
            cells = "".join(f"{counts[outcome]:16}" for outcome in OUTCOMES)
            print(f"{name:30}{counts.total():8}{cells}{longest:9.1f}s", flush=True)
        sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
