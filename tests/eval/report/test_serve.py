"""`dust report --serve`: the page over loopback, made anew when a record or a log changes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import sample_report as made

from dust_core.errors import DustError
from dust_eval.report.build import Source
from dust_eval.report.live import unfinished
from dust_eval.report.serve import HOST, Site, open_server


def log(folder: Path, epochs: int, cut: str = "") -> None:
    """What a training logs: a line an epoch, and the beginning of one that it writes just now."""
    metrics = folder / ".work" / "K-1-0123456789ab" / "dvclive" / "plots" / "metrics"
    for name, value in (("epoch", 1.0), ("train/total", 0.5), ("val/delta1", 0.25)):
        path = metrics / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{step}\t{value + step if name == 'epoch' else value}" for step in range(epochs))
        path.write_text("\n".join([f"step\t{path.stem}", *lines]) + "\n" + cut)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made.write_results(tmp_path / "artifacts" / "small")
    return tmp_path / "artifacts" / "small"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def address(folder: Path, said: list[str]) -> Iterator[str]:
    source = Source(made.SPECS, folder.parent, "small", pictures=False)
    with open_server(Site(source, said.append), 0) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def got(address: str) -> str:
    with urlopen(address) as answer:
        text: str = answer.read().decode("utf-8")
    return text


def test_a_page_is_made_anew_only_when_a_file_changed(address: str, folder: Path) -> None:
    first, stamp = got(f"{address}/"), got(f"{address}/stamp")
    assert f'data-stamp="{stamp}"' in first and "connect-src &#39;self&#39;" in first
    assert got(f"{address}/") == first and got(f"{address}/stamp") == stamp
    log(folder, epochs=2)
    assert got(f"{address}/stamp") != stamp
    second = got(f"{address}/")
    assert "K-1-0123456789ab" in second and "K-1-0123456789ab" not in first
    assert f'data-stamp="{got(f"{address}/stamp")}"' in second


def test_a_record_that_is_being_written_leaves_the_last_page(
    address: str, folder: Path, said: list[str]
) -> None:
    first = got(f"{address}/")
    path = folder / "kq_eval.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    assert got(f"{address}/") == first
    assert f'data-stamp="{got(f"{address}/stamp")}"' in first, "the browser keeps what it has"
    assert len(said) == 1 and "kq_eval.json" in said[0]
    path.write_bytes(whole.replace(b'"T": 3.0', b'"T": 4.0') + b"\n")
    assert f'data-stamp="{got(f"{address}/stamp")}"' not in first, "it asks again"
    assert got(f"{address}/") != first


def test_other_paths_and_other_names_of_the_machine_are_refused(address: str) -> None:
    for path, host, code in (("/dvc.lock", "localhost", 404), ("/", "evil.example", 403)):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{address}{path}", headers={"Host": host}))
        assert refused.value.code == code


def test_a_port_that_is_taken_is_one_message(folder: Path) -> None:
    site = Site(Source(made.SPECS, folder.parent, "small", pictures=False), print)
    with open_server(site, 0) as server:
        port = server.server_address[1]
        with pytest.raises(DustError, match=f"port {port} is taken"):
            open_server(site, port)


def test_ctrl_c_ends_it(folder: Path) -> None:
    command = ("dust", "report", "--serve", "--port", "0", "--no-pictures")
    code = "import sys; from dust_core.cli import main; main(sys.argv[2:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command, "--specs", str(made.SPECS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("http://127.0.0.1:")
    assert "DUST, profile small" in got(line.split()[0])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_curves_of_a_running_training_have_its_whole_lines(folder: Path) -> None:
    log(folder, epochs=3, cut="3\t0.1")
    (curve,) = unfinished(folder)
    assert [entry["epoch"] for entry in curve.entries] == [1, 2, 3]
    assert curve.entries[0] == {"epoch": 1.0, "train/total": 0.5, "val/delta1": 0.25}
    home = folder / ".work" / "K-1-0123456789ab"
    (home / "finished.pt").touch()
    assert unfinished(folder) == ()
