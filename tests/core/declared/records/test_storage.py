import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from hypothesis import given, settings
from hypothesis import strategies as st

from dust_core.declared.records import (
    ResultFileError,
    parse_result_file,
    read_result_file,
    read_result_folder,
    result_file_text,
    write_result_file,
)
from dust_core.errors import DustError

HERE = Path(__file__).parent
TESTS = HERE.parents[2]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc[]{}\n, "), inner),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(extra=st.dictionaries(st.text("abc"), json_values))
def test_what_is_written_is_what_is_read(extra: dict[str, Any]) -> None:
    file = sample.result_file(sample.result(latency=sample.turns(99.0, 200.0)), extra=extra)
    assert parse_result_file(result_file_text(file).encode(), Path("x.json")) == file


def test_lists_of_numbers_take_one_line_each() -> None:
    text = result_file_text(sample.result_file())
    assert re.search(r'^ +"delta1": \[0\.\d+(, 0\.\d+){19}\],?$', text, re.MULTILINE)
    assert text.endswith("}\n") and len(text.splitlines()) < 140


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    data = json.loads(result_file_text(sample.result_file()))
    change(data)
    return json.dumps(data).encode()


def record_of(data: dict[str, Any]) -> dict[str, Any]:
    return data["results"][0]["record"]


def reordered(data: dict[str, Any]) -> None:
    record = record_of(data)
    data["results"][0]["record"] = {"seed": record.pop("seed"), **record}


FIX = "\n  fix: run the task again; result files are written by tasks, not by hand"
AGAIN = "\n  fix: delete the file and run its task again"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", ":1:1: not a result: byte 0xff, expected UTF-8" + AGAIN),
        (b"", ":1:1: not a result: the end, expected JSON (Expecting value)" + AGAIN),
        (
            b'{"a": 1,\n "b" 2}',
            ":2:6: not a result: 2}, expected JSON (Expecting ':' delimiter)" + AGAIN,
        ),
        (
            b"[" * 100_000,
            ":1:1: not a result: too many levels of nesting, expected a result file" + AGAIN,
        ),
        (
            b'{"kind": 1, "kind": 2}',
            ":1:13: not a result: kind, expected each key once in an object" + AGAIN,
        ),
        (
            b'{"rmse": NaN}',
            ":1:10: not a result: NaN, expected a finite number, or null where nothing was "
            "measured" + AGAIN,
        ),
        (
            b'{"rmse": 1e999}',
            ":1:10: not a result: 1e999, expected a finite number of ordinary size" + AGAIN,
        ),
        (
            b" " * 16_000_001,
            ":1:1: not a result: more than 16,000,000 bytes, expected at most 16,000,000" + AGAIN,
        ),
        (
            altered(lambda data: record_of(data).pop("rmse")),
            ": results[0].record.rmse: the field is absent; where it does not apply, write null"
            + FIX,
        ),
        (
            altered(lambda data: record_of(data).update(delta2=0.9)),
            ": results[0].record.delta2: there is no such field; did you mean delta1?" + FIX,
        ),
        (
            altered(lambda data: data.update(verdict=[])),
            ": verdict: there is no such field; did you mean verdicts?" + FIX,
        ),
        (
            altered(lambda data: record_of(data).update(params_M=0)),
            ": results[0].record.params_M: found 0, expected more than 0; where nothing was "
            "measured write null, and its reason in provenance" + FIX,
        ),
        (
            altered(lambda data: record_of(data).update(delta1=95.0)),
            ": results[0].record.delta1: found 95.0, expected at most 1" + FIX,
        ),
        (
            altered(lambda data: record_of(data).update(T="3")),
            ': results[0].record.T: found "3", expected a number' + FIX,
        ),
        (
            altered(reordered),
            ": results[0].record.seed: out of order, exp_id belongs here" + FIX,
        ),
        (
            altered(lambda data: data["results"][0].update(record=dict.fromkeys("abcdef"))),
            ": "
            + "\n  ".join(
                f"results[0].record.{name}: the field is absent; where it does not apply, "
                "write null"
                for name in ("exp_id", "combo", "rho", "T", "beta")
            )
            + "\n  and 26 more"
            + FIX,
        ),
    ],
)  # fmt: skip
def test_messages_name_the_place_and_the_fault(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "distill_log.json"
    path.write_bytes(content)
    with pytest.raises(ResultFileError) as error:
        read_result_file(path)
    assert str(error.value) == f"{path}{message}"
    assert error.value.exit_code == 2


def test_a_missing_file_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(DustError) as error:
        read_result_file(tmp_path / "kq_eval.json")
    assert str(error.value) == (
        f"{tmp_path}/kq_eval.json: no such file\n"
        "  fix: run the task that writes it: dust run TASK --profile PROFILE"
    )


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=300))
def test_no_bytes_end_in_a_traceback(content: bytes) -> None:
    with pytest.raises(ResultFileError):
        parse_result_file(content, Path("x.json"))


def test_a_folder_gives_its_results_and_passes_other_json_over(tmp_path: Path) -> None:
    write_result_file(tmp_path / "distill_log.json", sample.result_file())
    (tmp_path / "engine.manifest.json").write_text('{"kind": "EngineManifest"}')
    (tmp_path / "curve.json").write_text("[1, 2]")
    (tmp_path / "half.json").write_text("[1, ")
    results = read_result_folder(tmp_path)
    assert list(results) == [tmp_path / "distill_log.json"]
    assert results[tmp_path / "distill_log.json"].task == "K-1"


@pytest.mark.parametrize("name", ["distill_log.json", "kq_eval.json", "ablation_keep.json"])
def test_a_damaged_result_in_a_folder_is_not_passed_over(tmp_path: Path, name: str) -> None:
    text = result_file_text(sample.result_file())
    (tmp_path / name).write_text(text[: len(text) // 2])
    with pytest.raises(ResultFileError, match="expected JSON"):
        read_result_folder(tmp_path)


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DustError, match="no such folder of results"):
        read_result_folder(tmp_path / "full")


SETUP = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import sample_results as sample
from dust_core.declared.records import write_result_file
files = [sample.result_file(extra={"curve": [float(i)] * 20_000}) for i in range(2)]
target = Path(sys.argv[1])
"""
WRITE_FOREVER = """
print("writing", flush=True)
while True:
    for file in files:
        write_result_file(target, file)
"""
WRITE_HALF = """
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
signal.signal(signal.SIGXFSZ, signal.{action})
write_result_file(target, files[1])
"""


def start_writer(code: str, target: Path) -> subprocess.Popen[str]:
    write_result_file(target, sample.result_file(extra={"curve": [0.0] * 20_000}))
    return subprocess.Popen(
        [sys.executable, "-c", SETUP + code, str(target), str(HERE), str(TESTS)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_writer_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "distill_log.json"
    writer = start_writer(WRITE_HALF.format(action="SIG_DFL"), target)
    writer.communicate()
    assert writer.returncode == -signal.SIGXFSZ  # the system ended it after 50,000 bytes
    assert set(read_result_file(target).extra["curve"]) == {0.0}
    # The half that it left behind is never taken for a result.
    assert [path.stat().st_size for path in tmp_path.glob(".*.part")] == [50_000]
    assert list(read_result_folder(tmp_path)) == [target]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "distill_log.json"
    writer = start_writer(WRITE_HALF.format(action="SIG_IGN"), target)
    _, errors = writer.communicate()
    assert f"{target}: cannot write the file: File too large\n  fix: free some space" in errors
    assert set(read_result_file(target).extra["curve"]) == {0.0}
    assert list(tmp_path.iterdir()) == [target]


def test_readers_beside_a_writer_see_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "distill_log.json"
    writer = start_writer(WRITE_FOREVER, target)
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        seen = set()
        while len(seen) < 2:
            curve = read_result_file(target).extra["curve"]
            assert isinstance(curve, list) and len(curve) == 20_000
            seen |= set(curve)
    finally:
        writer.kill()
        writer.communicate()
    assert len(read_result_file(target).extra["curve"]) == 20_000


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "distill_log.json"
    write_result_file(target, sample.result_file())
    before = target.read_bytes()
    with pytest.raises(ValueError):
        write_result_file(target, sample.result_file(extra={"loss": float("nan")}))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
