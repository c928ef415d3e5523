"""Values of the specs by dotted path, and how two sides of a change differ in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from dust_core.declared.specs.decides import leaves

Values = dict[str, Any]
"""Values by dotted path, e.g. `{"beta_schedule.to": 0.7}`; a list is one value."""


class _Absent:
    """The value of a key on the side that does not have it; `null` is a value."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that differs; `ABSENT` where a side does not have the field."""

    field: str
    old: Any
    new: Any


def value_at(data: Any, key: str) -> Any:
    """The value at a dotted key of mappings or models, `ABSENT` where there is none."""
    for part in key.split("."):
        if isinstance(data, BaseModel) and part in type(data).model_fields:
            data = getattr(data, part)
        elif isinstance(data, Mapping) and part in data:
            data = data[part]
        else:
            return ABSENT
    return data


def flatten(value: Any, *, prose: bool = False) -> Values:
    """The values below a model by dotted path: those that decide or, with `prose`, the rest."""
    if value is ABSENT:
        return {}
    return {path: leaf for path, leaf, is_prose in leaves(value) if is_prose == prose}


def compare(old: Any, new: Any, *, prose: bool = False) -> tuple[FieldChange, ...]:
    """The fields that differ between two values, in the order of the new side, removed ones last.

    Args:
        old: a model, values by name, or `ABSENT`.
        new: the same.
        prose: compare what only describes instead of what decides.
    """
    return differences(flatten(old, prose=prose), flatten(new, prose=prose))


def differences(before: Values, after: Values) -> tuple[FieldChange, ...]:
    """The same for values that are flat already."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        FieldChange(name, before.get(name, ABSENT), after.get(name, ABSENT))
        for name in names
        if before.get(name, ABSENT) != after.get(name, ABSENT)
    )
