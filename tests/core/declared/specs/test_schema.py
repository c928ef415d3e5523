import json
from pathlib import Path

import jsonschema
import pytest

from dust_core.declared.reference.fields import reference
from dust_core.declared.reference.schema import schema_texts, stale_schemas
from dust_core.declared.specs import load_yaml

ROOT = Path(__file__).parents[4]
SPECS = sorted((*(ROOT / "specs").glob("v1/*.yaml"), *(ROOT / "specs").glob("profiles/*.yaml")))


def validator(path: Path) -> jsonschema.Draft202012Validator:
    """The schema that an editor would use, found through the file's own modeline."""
    modeline = path.read_text().splitlines()[0]
    schema = json.loads((path.parent / modeline.split("$schema=")[1]).read_text())
    return jsonschema.Draft202012Validator(schema)


def test_committed_schemas_and_reference_are_fresh() -> None:
    assert stale_schemas(ROOT / "specs" / "schema" / "v1") == []
    assert (ROOT / "docs" / "specs.md").read_text() == reference()


def test_a_stale_or_foreign_schema_is_named(tmp_path: Path) -> None:
    for name, text in schema_texts().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "distill.schema.json").write_text("{}")
    (tmp_path / "old.schema.json").write_text("{}")
    assert stale_schemas(tmp_path) == ["distill.schema.json", "old.schema.json"]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_every_spec_follows_the_schema_that_its_modeline_names(path: Path) -> None:
    validator(path).validate(load_yaml(path).data)


def test_an_editor_would_underline_a_wrong_value() -> None:
    path = ROOT / "specs" / "v1" / "workload.yaml"
    data = load_yaml(path).data
    data["spec"]["images"]["height"] = 384
    with pytest.raises(jsonschema.ValidationError, match="512 was expected"):
        validator(path).validate(data)


@pytest.mark.parametrize("name", sorted(schema_texts()))
def test_schemas_are_valid_named_and_describe_every_field(name: str) -> None:
    schema = json.loads(schema_texts()[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:dust:schema:v1:{name.removesuffix('.schema.json')}"
    if name == "result.schema.json":
        return  # written by programs alone: no editor shows its descriptions
    models = [schema, *schema.get("$defs", {}).values()]
    for model in models:
        for key, value in model.get("properties", {}).items():
            target = schema.get("$defs", {}).get(value.get("$ref", "").split("/")[-1], {})
            assert value.get("description") or target.get("description"), key
