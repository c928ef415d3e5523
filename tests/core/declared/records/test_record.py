import datetime as dt
import json
import math
import subprocess
import sys
from typing import Any

import pytest
import sample_results as sample
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dust_core.declared.records import MEASURED_FIELDS, QUALITY_METRICS, RECORD_FIELDS, Record

FIELDS_OF_THE_CONTRACT = [
    "exp_id", "combo", "rho", "T", "beta", "gamma", "bits_w", "bits_a", "keep_list", "params_M",
    "flops_G", "size_MB", "vram_GB", "chamfer", "absrel", "rmse", "delta1", "t_pair_p50_ms",
    "t_pair_p95_ms", "t_scene_s", "pairs_per_sec", "gpu_hours", "notes", "seed", "datetime",
]  # fmt: skip

positive = st.floats(min_value=1e-12, max_value=1e12)
share = st.floats(min_value=0, max_value=1)
words = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=1),
    min_size=1,
    max_size=5,
).map(" ".join)


@st.composite
def records(draw: Any) -> Record:
    """Any record that the model allows."""
    figures = {field: draw(st.none() | positive) for field in MEASURED_FIELDS}
    if figures["t_pair_p50_ms"] and figures["t_pair_p95_ms"]:
        both = sorted((figures["t_pair_p50_ms"], figures["t_pair_p95_ms"]))
        figures["t_pair_p50_ms"], figures["t_pair_p95_ms"] = both
    figures |= {metric: draw(st.none() | share) for metric in QUALITY_METRICS}
    families = ["layernorm", "softmax", "rope"]
    return Record(
        exp_id=draw(st.sampled_from(["K_T3B05_sched_run1", "P_r010_run12", "KQ_INT8_run1"])),
        combo=draw(st.sampled_from(["T3B05", "r010", "INT8"])),
        rho=draw(st.none() | st.floats(0.01, 0.99)),
        T=draw(st.none() | positive),
        beta=draw(st.none() | share),
        gamma=draw(st.none() | share),
        bits_w=draw(st.none() | st.integers(1, 16)),
        bits_a=draw(st.none() | st.integers(1, 16)),
        keep_list=draw(st.none() | st.lists(st.sampled_from(families), unique=True).map(tuple)),
        notes=draw(st.none() | words.filter(lambda text: text != "null" and len(text) <= 500)),
        seed=draw(st.integers(0, 2**63)),
        datetime=draw(st.datetimes(dt.datetime(1970, 1, 2), timezones=st.just(dt.UTC))),
        **figures,
    )


def test_a_record_has_the_25_fields_of_the_contract_in_order() -> None:
    assert list(RECORD_FIELDS) == FIELDS_OF_THE_CONTRACT


@settings(deadline=None, max_examples=40)
@given(records())
def test_json_gives_the_same_record_back(record: Record) -> None:
    text = record.model_dump_json()
    assert list(json.loads(text)) == FIELDS_OF_THE_CONTRACT
    assert Record.model_validate_json(text) == record


@pytest.mark.parametrize("field", MEASURED_FIELDS)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -1.0])
def test_no_measured_field_takes_what_is_no_measurement(field: str, number: float) -> None:
    with pytest.raises(ValidationError, match=field):
        sample.result(figures={field: number})


@pytest.mark.parametrize("field", sorted(set(MEASURED_FIELDS) - set(QUALITY_METRICS)))
def test_zero_is_not_a_way_to_say_not_measured(field: str) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        sample.result(figures={field: 0})


@pytest.mark.parametrize("field", FIELDS_OF_THE_CONTRACT)
def test_no_field_may_be_absent(field: str) -> None:
    values = sample.result().record.model_dump()
    del values[field]
    with pytest.raises(ValidationError, match="Field required"):
        Record(**values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("T", "3"),
        ("seed", 42.0),
        ("seed", True),
        ("keep_list", ("dropout",)),
        ("datetime", dt.datetime(2026, 11, 23)),
        ("exp_id", "student"),
        ("delta1", 1.01),
        ("rho", 1.0),
        ("t_pair_p95_ms", 1.0),
    ],
)
def test_values_of_another_type_or_range_are_refused(field: str, value: Any) -> None:
    values = sample.result().record.model_dump() | {field: value}
    with pytest.raises(ValidationError):
        Record(**values)


@pytest.mark.parametrize("notes", ["", "null", "two\nlines", " edge", "double  space"])
def test_notes_are_one_line_or_null(notes: str) -> None:
    with pytest.raises(ValidationError, match="notes must be one line"):
        Record(**sample.result().record.model_dump() | {"notes": notes})


def test_moments_are_kept_in_utc_to_the_second() -> None:
    tokyo = dt.timezone(dt.timedelta(hours=9))
    moment = dt.datetime(2026, 11, 23, 17, 15, 30, 999_999, tzinfo=tokyo)
    record = Record(**sample.result().record.model_dump() | {"datetime": moment})
    assert json.loads(record.model_dump_json())["datetime"] == "2026-11-23T08:15:30Z"


def test_a_record_cannot_be_changed() -> None:
    record = sample.result().record
    with pytest.raises(ValidationError, match="frozen"):
        record.delta1 = 1.0


def test_the_schema_tells_every_field_its_unit_meaning_and_an_example() -> None:
    properties = Record.model_json_schema()["properties"]
    assert list(properties) == FIELDS_OF_THE_CONTRACT
    for field in properties.values():
        assert field["description"] and field["examples"] and "unit" in field
    units = {name: field["unit"] for name, field in properties.items() if field["unit"]}
    assert units["t_pair_p50_ms"] == "ms" and units["chamfer"] == "m" and units["vram_GB"] == "GB"


def test_the_examples_of_the_schema_make_a_record() -> None:
    properties = Record.model_json_schema()["properties"]
    values = {name: field["examples"][0] for name, field in properties.items()}
    assert Record.model_validate_json(json.dumps(values)).delta1 == 0.953


def test_reading_records_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, dust_core.declared.records, dust_core.declared.records.commands;"
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
