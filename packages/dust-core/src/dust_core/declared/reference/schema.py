"""JSON Schemas of spec files and results, generated from the models.

Editors that read a file's yaml-language-server modeline use them to complete and check it.
"""

import json
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
    return json.dumps(head | _untitled(generated), indent=2, ensure_ascii=False) + "\n"


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
