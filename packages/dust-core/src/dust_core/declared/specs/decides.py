"""The identity of an experiment: the SHA-256 of everything that decides it."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def digest(value: Any) -> str:
    """SHA-256 of `value` as canonical JSON (RFC 8785's order, no blanks), in hexadecimal.

    Comments, the order of keys and prose (titles, hypotheses, estimates) do not change it; any
    parameter does.
    """
    text = json.dumps(
        decisive(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def decisive(value: Any) -> Any:
    """`value` as plain JSON values without its models' prose, with numbers in one spelling."""
    if isinstance(value, BaseModel):
        prose: frozenset[str] = getattr(value, "PROSE", frozenset())
        return {
            name: decisive(getattr(value, name))
            for name in type(value).model_fields
            if name not in prose
        }
    if isinstance(value, dict):
        return {str(key): decisive(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [decisive(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # `1` and `1.0` are one value
    return value
