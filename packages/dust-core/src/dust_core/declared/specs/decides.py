"""What decides an experiment, and what only describes it.

Digests, the keys that DVC compares and the fields that `dust diff` shows all use this module. Each
model declares its own fields (`SpecModel.PROSE`, `SpecModel.LATER`); a name that is prose in one
model may decide in another. docs/adr/018 says why a new field must not change an identity.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def digest(value: Any) -> str:
    """The identity of an experiment: SHA-256 of all that decides it, in hexadecimal.

    The hash covers canonical JSON (RFC 8785's order, no blanks). Comments, the order of keys and
    prose (titles, hypotheses, estimates) do not change it. Any parameter does.
    """
    text = json.dumps(
        decisive(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def decisive(value: Any) -> Any:
    """The deciding part of `value` as plain JSON values, with one spelling of each number."""
    if isinstance(value, BaseModel):
        return {
            name: decisive(getattr(value, name))
            for name in type(value).model_fields
            if _decides(value, name)
        }
    if isinstance(value, Mapping):
        return {str(key): decisive(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [decisive(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # `1` and `1.0` are one value
    return value


def deciding_keys(model: BaseModel, key: str) -> list[str]:
    """The dotted keys below `key` that decide and are in the file: DVC needs them to be there.

    Args:
        model: a task, or a line, as it was read from a file.
        key: where it is in the file, e.g. `spec.tasks.K-1`.
    """
    given = model.model_fields_set
    return [
        f"{key}.{name}"
        for name in type(model).model_fields
        if name in given and _decides(model, name)
    ]


def leaves(
    value: Any, path: str = "", *, is_prose: bool = False
) -> Iterator[tuple[str, Any, bool]]:
    """Every value below `value`: its dotted path, the value as JSON, and whether it is prose.

    Defaults are filled in. A list is one value, unless it holds models or mappings.
    """
    if isinstance(value, BaseModel):
        prose = prose_of(type(value))
        for name in type(value).model_fields:
            below = f"{path}.{name}" if path else name
            yield from leaves(getattr(value, name), below, is_prose=is_prose or name in prose)
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key), is_prose=is_prose)
    elif isinstance(value, list | tuple) and any(
        isinstance(item, BaseModel | Mapping) for item in value
    ):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]", is_prose=is_prose)
    else:
        yield path, to_jsonable_python(value), is_prose


def prose_of(model: type[BaseModel]) -> frozenset[str]:
    """The fields of a model that only describe."""
    return _declared(model, "PROSE")


def _decides(model: BaseModel, name: str) -> bool:
    if name in prose_of(type(model)):
        return False
    if name not in _declared(type(model), "LATER"):
        return True
    default = type(model).model_fields[name].get_default(call_default_factory=True)
    return bool(decisive(getattr(model, name)) != decisive(default))


@cache
def _declared(model: type[BaseModel], attribute: str) -> frozenset[str]:
    """The fields that a model and its base classes declare under `attribute`."""
    return frozenset().union(*(vars(base).get(attribute, ()) for base in model.__mro__))
