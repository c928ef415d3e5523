"""`dust data import --on`: shards of scenes that workers of dask read are those of one process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import many_rooms
import pytest
from distributed import Client, LocalCluster

from dust_core.errors import DustError
from dust_core.pairs.importing import workers as module

SECONDS = 60.0


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_rooms.make(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Two workers that other people started, in a folder of their own."""
    settings = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    folder = str(tmp_path_factory.mktemp("workers"))
    cluster = LocalCluster(n_workers=2, local_directory=folder, **settings)
    with cluster, Client(cluster) as connection:
        connection.run(os.chdir, "/")
        yield connection


def address(client: Client) -> str:
    return str(client.scheduler.address)


def test_shards_are_those_of_one_process(
    client: Client, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    many_rooms.run(source, tmp_path / "alone")
    alone = capsys.readouterr().err
    monkeypatch.chdir(source.parent)  # where the workers are not
    many_rooms.run(Path(source.name), tmp_path / "together", on=address(client))
    assert many_rooms.content(tmp_path / "together") == many_rooms.content(tmp_path / "alone")
    assert capsys.readouterr().err == alone
    assert not (tmp_path / "together" / ".unfinished").exists()


def test_a_fault_of_a_strict_import_comes_back(
    client: Client, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(DustError, match="the depth is missing") as caught:
        many_rooms.run(source, tmp_path / "strict", on=address(client), strict=True)
    assert caught.value.where.endswith("frame-000001.depth.png")
    assert not list(tmp_path.rglob("*.part"))


def test_scenes_of_a_killed_worker_are_read_by_another(
    client: Client, source: Path, tmp_path: Path
) -> None:
    many_rooms.run(source, tmp_path / "alone")
    processes = client.run(os.getpid)
    first = next(iter(processes.values()))
    os.kill(first, signal.SIGSTOP)  # it takes scenes and reads none

    def kill() -> None:
        end = time.monotonic() + SECONDS
        while not list(tmp_path.rglob("*.tar")) and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(first, signal.SIGKILL)

    # What the workers see was asked before.
    with ThreadPoolExecutor() as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_able", lambda *_: 2)
        killing = pool.submit(kill)
        many_rooms.run(source, tmp_path / "together", on=address(client))
        killing.result()
    assert many_rooms.content(tmp_path / "together") == many_rooms.content(tmp_path / "alone")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ModuleNotFoundError("No module named 'dust_core'"), "No module named 'dust_core'"),
        ({"code": ("other",), "sees": []}, "it has other versions"),
        ({"sees": []}, "it does not see .*set"),
    ],
)
def test_a_worker_that_cannot_read_is_named_and_nothing_is_left(
    client: Client, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    answer: object, message: str,
) -> None:  # fmt: skip
    here = module._describe(source, source)
    monkeypatch.setattr(
        Client,
        "run",
        lambda *_, **__: {"tcp://w:1": here | answer if isinstance(answer, dict) else answer},
    )
    with pytest.raises(DustError, match=f"a worker cannot read scenes: .*{message}") as caught:
        many_rooms.run(source, tmp_path / "made", on=address(client))
    assert caught.value.where == "tcp://w:1"
    assert not (tmp_path / "made").exists()


def test_a_scheduler_without_workers_is_said(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS_WITHOUT_WORKERS", 0.5)
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "Scheduler at:" in line)
        with pytest.raises(DustError, match="the scheduler has no worker"):
            many_rooms.run(source, tmp_path / "made", on=line.split()[-1])
    finally:
        process.kill()
        process.communicate()


def test_processes_of_this_machine_are_not_counted_beside_workers(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(DustError, match="--jobs counts processes of this machine"):
        many_rooms.run(source, tmp_path / "made", on="local:2", jobs=2)
    with pytest.raises(DustError, match="'slurm' is no scheduler"):
        many_rooms.run(source, tmp_path / "made", on="slurm")


def test_a_scheduler_that_ends_is_one_message_and_the_same_command_goes_on(
    source: Path, tmp_path: Path
) -> None:
    """A program of its own: what is left of a connection cannot be told from another test's."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import many_rooms\n"
        "from dust_core.errors import DustError\n"
        "from dust_core.pairs.importing import parallel, workers\n"
        "awaited = parallel._awaited\n"
        "def ended(*arguments):\n"
        "    os.kill(int(sys.argv[3]), signal.SIGKILL)\n"
        "    return awaited(*arguments)\n"
        "parallel._awaited = ended\n"
        "workers._able = lambda *_: 1\n"
        "try:\n"
        "    many_rooms.run(Path(sys.argv[1]), Path(sys.argv[2]), on=sys.argv[4])\n"
        "except DustError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    scheduler = subprocess.Popen(
        [*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert scheduler.stderr is not None
    line = next(line for line in scheduler.stderr if "Scheduler at:" in line)
    where = (str(source), str(tmp_path / "made"), str(scheduler.pid), line.split()[-1])
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, *where], capture_output=True, text=True, timeout=SECONDS
        )
    finally:
        scheduler.kill()
        scheduler.communicate()
    assert "a process that read scenes was ended" in done.stdout, done.stderr
    assert "the same command goes on" in done.stdout
