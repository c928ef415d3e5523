"""The JSON Schema of result files accepts and refuses what the model does, as far as it can."""

import json
from typing import Any

import pytest
import sample_results as sample
from jsonschema import Draft202012Validator

from dust_core.declared.records import RECORD_FIELDS, ResultFile, result_file_text

SCHEMA = Draft202012Validator(ResultFile.model_json_schema())


def written() -> Any:
    file = sample.result_file(sample.result(latency=sample.turns(99.0, 200.0)))
    return json.loads(result_file_text(file))


def test_a_written_file_is_valid() -> None:
    Draft202012Validator.check_schema(ResultFile.model_json_schema())
    assert not list(SCHEMA.iter_errors(written()))


@pytest.mark.parametrize("field", RECORD_FIELDS)
def test_an_absent_field_is_invalid(field: str) -> None:
    data = written()
    del data["results"][0]["record"][field]
    assert not SCHEMA.is_valid(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("params_M", 0), ("delta1", 1.5), ("seed", -1), ("T", "3"), ("keep_list", ["dropout"])],
)
def test_a_value_out_of_its_range_is_invalid(field: str, value: Any) -> None:
    data = written()
    data["results"][0]["record"][field] = value
    assert not SCHEMA.is_valid(data)


def test_an_unknown_field_is_invalid() -> None:
    data = written()
    data["results"][0]["provenance"]["hostname"] = "here"
    assert not SCHEMA.is_valid(data)
