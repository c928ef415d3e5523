"""Mutated inputs for every reader: each ends in a result or in one message, within a second.

    python benchmarks/border.py [--count 100000] [--seed 21] [--only pictures ...] [--keep FOLDER]

Small files of each kind are made, mutated and read as a user has them read. Each input follows from
the seed and its number. A fault is an exception that is not ours, an end as a fault of ours has it
(exit code 3), a crash of the process, or no end within 30 seconds. Slow is more than one second of
processor time. A reader's share of the inputs is as the square root of its speed, because some read
a picture and some import a data set. Exits 1 if there is a fault or a slow input; `--keep` takes
their files.
"""

import argparse
import math
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from border_data_sets import DATA_SETS_READERS
from border_files import READERS as FILE_READERS
from border_project import PROJECT_READERS
from mutants import mutated

from dust_core.errors import DustError

SLOW_S, HANGS_S, CHUNK = 1.0, 30.0, 1000
TRIAL = 40  # inputs that tell how fast a reader is
_MEMORY = 24 * 2**30  # of addresses, a guard against runaway sizes
READERS = FILE_READERS | DATA_SETS_READERS | PROJECT_READERS


@dataclass
class Row:
    """What became of the inputs of a reader."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slow: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)  # message: number of its first input


def work(reader: str, seed: int, numbers: range, out: Connection, folder: Path) -> None:
    """Read the inputs of these numbers, and send number, outcome, seconds and message of each."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    warnings.simplefilter("ignore")
    cases = list(READERS[reader](folder))
    for case in cases:
        case.read()  # what is not mutated is read
    with Path(os.devnull).open("w") as sink:
        os.dup2(sink.fileno(), 1)  # libraries print what they find
        os.dup2(sink.fileno(), 2)
    originals = [case.file.read_bytes() for case in cases]
    for number in numbers:
        random_ = random.Random(f"{seed} {reader} {number}")
        chosen = random_.randrange(len(cases))
        case = cases[chosen]
        content = mutated(random_, originals[chosen])
        case.file.write_bytes(content)
        start, message = time.process_time(), ""
        try:
            case.read()
            outcome = "read"
        except DustError:
            outcome = "refused"
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)
            outcome = "fault"
            message = f"{type(error).__name__}: {error} ({frames[-1].name})".replace("\n", " ")
        seconds = time.process_time() - start
        case.file.write_bytes(originals[chosen])
        keep = content if outcome == "fault" or seconds > SLOW_S else b""
        out.send((number, outcome, seconds, message[:300], case.file.name, keep))
    out.close()


def run(reader: str, seed: int, count: int, keep: Path | None) -> Row:
    """Have `count` inputs of a reader read, in processes that may crash or hang."""
    row, done, context = Row(), 0, multiprocessing.get_context("fork")
    while done < count:
        numbers = range(done, min(done + CHUNK, count))
        with tempfile.TemporaryDirectory(prefix="dust-border-") as folder:
            receiver, sender = context.Pipe(duplex=False)
            arguments = (reader, seed, numbers, sender, Path(folder))
            process = context.Process(target=work, args=arguments)
            process.start()
            sender.close()
            done = _collect(receiver, numbers, row, reader, keep)
            process.kill()  # it may hang, and libraries may wait for their threads at the end
            process.join()
    return row


def shares(readers: list[str], seed: int, count: int) -> dict[str, int]:
    """How many inputs each reader gets of `count`."""
    rates = {name: TRIAL / run(name, seed, TRIAL, None).seconds for name in readers}
    whole = sum(math.sqrt(rate) for rate in rates.values())
    return {name: math.ceil(count * math.sqrt(rate) / whole) for name, rate in rates.items()}


def _collect(receiver: Connection, numbers: range, row: Row, reader: str, keep: Path | None) -> int:
    """Take a process's results until it ends; the number of the input to go on with."""
    done = numbers.start
    while done < numbers.stop:
        ended = "hang"
        try:
            if receiver.poll(HANGS_S + 60 * (done == numbers.start)):  # it makes files first
                ended = "crash"
                number, outcome, seconds, message, name, content = receiver.recv()
            else:
                raise EOFError
        except EOFError:
            if done == numbers.start == 0:
                sys.exit(f"the files of {reader} cannot be made")
            row.outcomes["fault"] += 1
            row.faults.setdefault(f"{ended} of the process", done)
            return done + 1
        row.outcomes[outcome] += 1
        row.seconds += seconds
        row.slow += seconds > SLOW_S
        row.slowest = max(row.slowest, seconds)
        if outcome == "fault":
            row.faults.setdefault(message, number)
        elif seconds > SLOW_S:
            row.faults.setdefault(f"{seconds:.1f} s: {name}", number)
        if keep is not None and content:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{reader}-{number}-{name}").write_bytes(content)
        done = number + 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=100_000, help="inputs, of all readers")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--only", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--keep", type=Path, help="folder for inputs that fail")
    options = parser.parse_args()
    counts = shares(options.only, options.seed, options.count)
    print(
        f"{'reader':14} {'inputs':>7} {'read':>7} {'refused':>7} {'faults':>6} {'slow':>5}", end=""
    )
    print(f" {'slowest':>8} {'mean':>8}")
    rows = {}
    for reader, count in counts.items():
        row = rows[reader] = run(reader, options.seed, count, options.keep)
        cells = [count, *(row.outcomes[name] for name in ("read", "refused", "fault")), row.slow]
        times = f"{row.slowest:8.2f} s{1000 * row.seconds / count:7.1f} ms"
        print(f"{reader:14}" + "".join(f"{cell:10}" for cell in cells) + times, flush=True)
        for message, number in sorted(row.faults.items(), key=lambda fault: fault[1])[:20]:
            print(f"  input {number}: {message}", flush=True)
    sys.exit(any(row.outcomes["fault"] or row.slow for row in rows.values()))


if __name__ == "__main__":
    main()
