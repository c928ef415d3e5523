"""A set written where another one is: one of the two can be read at every moment."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import pair

from dust_core.errors import DustError
from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.sample import Members, encode
from dust_core.pairs.shards.tars import write_shards


def members(count: int, aside: int = 0) -> list[Members]:
    return [encode(pair(n + aside, n + aside + 1), picture="png") for n in range(count)]


def write(folder: Path, samples: list[Members] | Iterator[Members], size: int = 2) -> Path:
    write_shards(samples, folder, split="training", licence="CC0", pairs_per_shard=size)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(("count", "size"), [(3, 2), (7, 2), (9, 2), (7, 3)])
def test_nothing_of_an_earlier_set_remains(count: int, size: int, tmp_path: Path) -> None:
    write(tmp_path / "set", members(7))
    write(tmp_path / "set", members(count, aside=2), size)
    assert files(tmp_path / "set") == files(
        write(tmp_path / "fresh", members(count, aside=2), size)
    )
    assert not check_set(tmp_path / "set").faults


def test_an_interrupted_rewriting_keeps_the_earlier_set_and_goes_on(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", members(7))

    def interrupted() -> Iterator[Members]:
        yield from members(5, aside=2)[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(folder, interrupted())
    assert check_set(folder).pairs == 7
    # An empty sample stands for one that is written already: the first tar is kept.
    write(folder, iter([{}, {}, *members(5, aside=2)[2:]]))
    assert files(folder) == files(write(tmp_path / "fresh", members(5, aside=2)))


@pytest.mark.parametrize("now", [members(1, aside=2), members(7, aside=3)])
def test_unfinished_shards_of_other_samples_are_refused(now: list[Members], tmp_path: Path) -> None:
    def interrupted() -> Iterator[Members]:
        yield from members(5, aside=2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, interrupted())
    with pytest.raises(DustError, match="an interrupted call wrote other samples") as caught:
        write(tmp_path, now)
    assert str(tmp_path / ".unfinished") in caught.value.fix


# Writes a set over another one in a process that dies at its n-th access to a file, for each n
# until it lives: what can be read then, and what a second call leaves.
_DYING = """
import json, os, shutil, sys
from pathlib import Path
from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.tars import read_shard, write_shards

root = Path(sys.argv[1])
tars = sorted((root / "new").glob("*.tar"))
samples = [members for tar in tars for _, members in read_shard(tar)]
folder = root / "set"

def write():
    write_shards(samples, folder, split="training", licence="CC0", pairs_per_shard=2)

def die_at(number):
    left = [number]
    def hook(event, arguments):
        if event == "open" or event.startswith(("os.", "shutil.", "tempfile.")):
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
    sys.addaudithook(hook)

seen, number, died = [], 0, True
while died:
    number += 1
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "old", folder)
    child = os.fork()
    if child == 0:
        die_at(number)
        write()
        os._exit(0)
    died = os.waitpid(child, 0)[1] != 0
    report = check_set(folder)
    faults = [fault for fault in report.faults if "does not name it" not in fault]
    write()
    after = {path.name: path.read_bytes().hex() for path in folder.iterdir()}
    fresh = {path.name: path.read_bytes().hex() for path in (root / "new").iterdir()}
    seen.append([report.pairs, len(faults), after == fresh])
print(json.dumps(seen))
"""


def test_a_crash_at_any_moment_leaves_a_whole_set(tmp_path: Path) -> None:
    write(tmp_path / "old", members(5))
    write(tmp_path / "new", members(3, aside=2))
    done = subprocess.run(
        [sys.executable, "-c", _DYING, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen) > 20
    pairs = [pairs for pairs, _, _ in seen]
    assert pairs == sorted(pairs, reverse=True) and set(pairs) == {5, 3}
    assert all(faults == 0 and ends_as_fresh for _, faults, ends_as_fresh in seen)
