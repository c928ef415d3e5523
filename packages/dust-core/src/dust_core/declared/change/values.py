"""Plain values of the specs by dotted path: what decides an experiment, and what describes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dust_core.declared.specs.models import Gate, SpecFile, Task

PROSE = Task.PROSE | Gate.PROSE | SpecFile.PROSE
"""Keys that describe and do not decide; no model gives one of these names to a value that does."""

Values = dict[str, Any]
"""Values by dotted path, e.g. `{"beta_schedule.to": 0.7}`; a list is one value."""


class _Absent:
    """Stands for a value on the side that does not have the key; `null` is a value."""

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
    """The value at a dotted key, `ABSENT` where there is none."""
    for part in key.split("."):
        if not isinstance(data, Mapping) or part not in data:
            return ABSENT
        data = data[part]
    return data


def flatten(value: Any, *, prose: bool = False) -> Values:
    """The values below `value` by dotted path: those that decide, or with `prose` the others."""
    return {path: leaf for path, leaf, is_prose in _leaves(value, "", False) if is_prose == prose}


def compare(old: Any, new: Any, *, prose: bool = False) -> tuple[FieldChange, ...]:
    """The fields below two values that differ, in the order of the new side, those gone last."""
    before, after = flatten(old, prose=prose), flatten(new, prose=prose)
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        FieldChange(name, before.get(name, ABSENT), after.get(name, ABSENT))
        for name in names
        if before.get(name, ABSENT) != after.get(name, ABSENT)
    )


def _leaves(value: Any, path: str, is_prose: bool) -> Iterator[tuple[str, Any, bool]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            below = f"{path}.{name}" if path else str(name)
            yield from _leaves(inner, below, is_prose or name in PROSE)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]", is_prose)
    elif value is not ABSENT:
        yield path, value, is_prose
