"""No bytes, however broken or hostile, bring the validator to a traceback, or to its knees."""

import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import check_examples as examples
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dust_core.declared.checks import validate
from dust_core.declared.reading.yaml_text import load_yaml

SETTINGS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPECS = sorted((examples.VALID / "specs").rglob("*.yaml"))
LOG = examples.VALID / "artifacts" / "mini" / "K_T3B05_run1_log.json"
TABLE = LOG.with_name("result_table.csv")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["P0-2", "K-1", "quality", "K_T3B05_run1", "dust/v1", "Distill", "", "2" * 64]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The location of every value below `value`."""
    locations = [loc]
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value) if isinstance(value, list) else 0)
    )
    for key in keys:
        locations += places(value[key], (*loc, key))
    return locations


@st.composite
def altered(draw: st.DrawFn, whole: Any) -> Any:
    """A document with one to three of its values exchanged, removed, or given another key."""
    whole = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        loc = draw(st.sampled_from(places(whole)))
        if not loc:
            continue
        holder = whole
        for part in loc[:-1]:
            holder = holder[part]
        match draw(st.sampled_from(["exchange", "remove", "rename"])):
            case "exchange":
                holder[loc[-1]] = draw(values)
            case "remove":
                del holder[loc[-1]]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = holder.pop(loc[-1])
    return whole


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return examples.build(None, tmp_path_factory.mktemp("project"))


def assert_told(paths: list[Path]) -> None:
    """Whatever is wrong is told with a place and a way out."""
    for finding in validate(paths).findings:
        assert finding.place.line >= 1
        assert finding.place.column >= 1
        assert finding.expected
        assert finding.fix
        assert "\n" not in finding.found


@SETTINGS
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_as_a_spec(project: Path, content: bytes) -> None:
    file = project / "other" / "distill.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    assert_told([file])


@SETTINGS
@given(st.text(alphabet="{}[]:,-#&*!|>'\"%@`?\\\n\t ab1.~=<", max_size=200))
def test_any_punctuation_as_a_spec(project: Path, content: str) -> None:
    file = project / "other" / "quant.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")
    assert_told([file])


@SETTINGS
@given(st.data())
def test_any_values_in_a_spec(project: Path, data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(SPECS))
    content = data.draw(altered(load_yaml(original).data))
    file = project / original.relative_to(examples.VALID)
    before = file.read_bytes()
    try:
        file.write_text(json.dumps(content), encoding="utf-8")
        assert_told([project])
    finally:
        file.write_bytes(before)


@SETTINGS
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_as_a_result_and_a_table(project: Path, content: bytes) -> None:
    folder = project / "other"
    folder.mkdir(exist_ok=True)
    (folder / "some_eval.json").write_bytes(content)
    (folder / "result_table.csv").write_bytes(content)
    assert_told([folder / "some_eval.json", folder / "result_table.csv"])


@SETTINGS
@given(altered(json.loads(LOG.read_text(encoding="utf-8"))))
def test_any_values_in_a_result(project: Path, content: Any) -> None:
    file = project / LOG.relative_to(examples.VALID)
    before = file.read_bytes()
    try:
        file.write_text(json.dumps(content), encoding="utf-8")
        assert_told([file.parent])
    finally:
        file.write_bytes(before)


@SETTINGS
@given(st.integers(0, 600), st.text(alphabet=',"\nnul1.\r\x00é', max_size=30))
def test_any_cells_in_a_table(project: Path, offset: int, inserted: str) -> None:
    file = project / TABLE.relative_to(examples.VALID)
    text = TABLE.read_text(encoding="utf-8")
    file.write_text(text[:offset] + inserted + text[offset:], encoding="utf-8", newline="")
    try:
        assert_told([file])
    finally:
        file.write_text(text, encoding="utf-8")


BOMBS = {
    "aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefghij"),
    "self-reference": b"&a [*a]\n",
    "50 MB": b"a: " + b"x" * 50_000_000,
    "50 MB of lists": b"[" * 50_000_000,
    "deep": b"[" * 900_000,
    "deep blocks": b"- " * 450_000,
    "many": b"[" + b"1," * 450_000 + b"1]",
    "digits": b"a: " + b"9" * 900_000,
    "exponent": b"a: 1e" + b"9" * 30,
    "one key": b"a: 1\n" * 200_000,
    "comments": b"#\n" * 450_000,
    "quotes": b'a: "' + b"\\n" * 400_000 + b'"',
    "spaces": b" " * 999_000 + b"a",
    "nul": b"\x00" * 100_000,
}

VALIDATE = (sys.executable, "-m", "dust_core", "validate")

JSON_BOMBS = {
    "50 MB": b'{"kind": "' + b"x" * 50_000_000 + b'"}',
    "deep": b"[" * 10_000_000,
    "digits": b'{"kind": "Result", "task": ' + b"9" * 10_000_000 + b"}",
    "one key": b'{"kind": "Result",' + b'"a": 1,' * 1_000_000 + b'"b": 2}',
    "escapes": b'{"kind": "Result", "task": "' + b"\\n" * 5_000_000 + b'"}',
    "late": b'{"extra": [' + b"1," * 5_000_000 + b'1], "kind": "Result", "task": 7}',
}


@pytest.fixture(scope="module")
def seconds() -> int:
    """Eight times the processor seconds that sound specs take on this machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*VALIDATE, str(examples.VALID / "specs")], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return math.ceil(8 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_specs_are_refused_in_bounded_time_and_memory(
    name: str, tmp_path: Path, seconds: int
) -> None:
    (tmp_path / "distill.yaml").write_bytes(BOMBS[name])
    assert_refused(tmp_path / "distill.yaml", "SPEC", seconds)


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_hostile_results_are_refused_in_bounded_time_and_memory(
    name: str, tmp_path: Path, seconds: int
) -> None:
    (tmp_path / "bad_eval.json").write_bytes(JSON_BOMBS[name])
    assert_refused(tmp_path / "bad_eval.json", "REC", seconds)


def assert_refused(file: Path, rule: str, seconds: int) -> None:
    """`dust validate` refuses a file, in so many processor seconds and 1 GB of address space."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000, 1_000_000_000))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    done = subprocess.run(
        [*VALIDATE, str(file)],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={**os.environ, "XDG_STATE_HOME": str(file.parent)},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f" {rule}" in done.stdout
    assert len(done.stdout) < 20_000
