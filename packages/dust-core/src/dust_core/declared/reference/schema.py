"""JSON Schemas of spec files and results, generated from the models.

Editors that read a file's yaml-language-server modeline use them to complete and check it. They
differ from what pydantic generates where an editor would show too little.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from dust_core.declared.specs.models import KINDS

DIALECT = GenerateJsonSchema.schema_dialect
VERSION = "v1"
_ID = "urn:dust:schema:{version}:{name}"


def schema_texts() -> dict[str, str]:
    """The text of every schema file by its name, e.g. `distill.schema.json`."""
    from dust_core.declared.records import Record, ResultFile

    models: dict[str, type[BaseModel]] = {kind.lower(): model for kind, model in KINDS.items()}
    models |= {"record": Record, "result": ResultFile}
    return {f"{name}.schema.json": _text(name, model) for name, model in models.items()}


def schema_modeline(kind: str) -> str:
    """The first line of a spec file of that kind."""
    return f"# yaml-language-server: $schema=../schema/{VERSION}/{kind.lower()}.schema.json"


def stale_schemas(folder: Path) -> list[str]:
    """Names of the schema files in `folder` that are absent, out of date or without a model."""
    texts = schema_texts()
    wrong = [
        name
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    return wrong + sorted(p.name for p in folder.glob("*.schema.json") if p.name not in texts)


def _text(name: str, model: type[BaseModel]) -> str:
    generated = model.model_json_schema(mode="validation")
    head = {"$schema": DIALECT, "$id": _ID.format(version=VERSION, name=name)}
    executors = _explained(generated)
    schema = _closed(generated, executors)
    return json.dumps(head | _untitled(schema), indent=2, ensure_ascii=False) + "\n"


def _explained(schema: dict[str, Any]) -> dict[str, str]:
    """What each executor does, by its name; the schema has it as the description of the name."""
    said = {}
    for model in schema.get("$defs", {}).values():
        does = model.get("properties", {}).get("does", {})
        if "const" in does:
            said[does["const"]] = model["description"].splitlines()[0]
            # An editor lists the names with their descriptions.
            does["description"] = f"Executor: {said[does['const']]}"
    return said


def _closed(value: Any, executors: Mapping[str, str]) -> Any:
    """The schema in which ids of the wrong form are errors, and so are unknown executors."""
    if isinstance(value, list):
        return [_closed(item, executors) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {key: _closed(item, executors) for key, item in value.items()}
    # The rules refuse an id of another form; JSON Schema accepts it unless this is said.
    if "patternProperties" in schema:
        schema.setdefault("additionalProperties", False)
    # Without this an editor expects the one executor whose keys are most like the task's.
    chosen = schema.get("discriminator")
    if isinstance(chosen, dict):
        names = sorted(chosen["mapping"])
        schema["properties"] = {
            chosen["propertyName"]: {
                "description": "What the task does, which decides its other keys.",
                "enum": names,
                "enumDescriptions": [executors[name] for name in names],
                "type": "string",
            }
        }
    return schema


def _untitled(value: Any) -> Any:
    # pydantic's title of a field repeats its name, which an editor shows anyway.
    if isinstance(value, dict):
        return {
            key: _untitled(item)
            for key, item in value.items()
            if not (key == "title" and isinstance(item, str))
        }
    if isinstance(value, list):
        return [_untitled(item) for item in value]
    return value
