"""The values that a lock recorded, compared with specs or with another lock, in meaning.

Spelling, prose and defaults that are written out make no difference. DVC compares text; a review
compares experiments.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from dust_core.declared.change.executed import Execution
from dust_core.declared.change.stale import PROFILES, what_it_is
from dust_core.declared.change.values import ABSENT, FieldChange, compare, value_at
from dust_core.declared.specs.decides import decisive, prose_of

Models = Mapping[str, Any]
"""Each spec file as its model, by path."""


def departures(execution: Execution, models: Models) -> Iterator[str]:
    """What decides the task and differs between the specs and the execution, in words.

    Only the workload's data of a profile counts: the rest decides no experiment.

    Args:
        execution: what a lock recorded.
        models: the specs to compare with.
    """
    own = f"spec.tasks.{execution.task}"
    for file, values in execution.parameters.items():
        for key, recorded in recorded_parts(values).items():
            head = value_at(models.get(file), key)
            if file.startswith(PROFILES):
                if key == "spec.data" and compare(_workload_of(recorded), _workload_of(head)):
                    yield what_it_is(file, key, execution.task)
                continue
            for change in _compare(recorded, head):
                is_own_field = key == own and change.field
                yield change.field if is_own_field else what_it_is(file, key, execution.task)


def altered(before: Execution, after: Execution, models: Models) -> Iterator[str]:
    """What two locks recorded differently of the same task, in words; all of a profile counts.

    Args:
        before: the execution in the earlier lock.
        after: the execution in the later lock.
        models: specs that have the task, which say what is prose and what is a default.
    """
    own = f"spec.tasks.{before.task}"
    for file in dict.fromkeys((*before.parameters, *after.parameters)):
        old, new = (recorded_parts(side.parameters.get(file, {})) for side in (before, after))
        for key in dict.fromkeys((*old, *new)):
            was, is_ = old.get(key, ABSENT), new.get(key, ABSENT)
            if was == is_:
                continue
            model = value_at(models.get(file), key)
            for change in compare(_meant(was, model), _meant(is_, model)):
                is_own_field = key == own and change.field
                yield change.field if is_own_field else what_it_is(file, key, before.task)


def recorded_parts(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a lock recorded of a file, by dotted key; the fields of a task or line are grouped."""
    parts: dict[str, Any] = {}
    for key, value in values.items():
        match key.split("."):
            case ["spec", "tasks" | "gates" as kind, name, field]:
                parts.setdefault(f"spec.{kind}.{name}", {})[field] = value
            case _:
                parts[key] = value
    return parts


def _compare(recorded: Any, head: Any) -> tuple[FieldChange, ...]:
    """The deciding fields in which the head differs from what a lock recorded."""
    if isinstance(head, BaseModel) and isinstance(recorded, Mapping):
        filled = _filled(recorded, head)
        if filled is None:  # the format has changed since, in more than later fields
            return (FieldChange("", recorded, head),)
        return compare(filled, head)
    return compare(recorded, head)


def _meant(recorded: Any, model: Any) -> Any:
    """The deciding part of a recorded value; `ABSENT` stays absent."""
    if recorded is ABSENT:
        return ABSENT
    if isinstance(model, BaseModel) and isinstance(recorded, Mapping):
        filled = _filled(recorded, model)
        return decisive(recorded if filled is None else filled)
    return decisive(recorded)


def _filled(recorded: Mapping[str, Any], model: BaseModel) -> BaseModel | None:
    """A recorded value as its model, with the prose of `model`; a field that was not recorded had
    its default. None where the model refuses the value.
    """
    prose = model.model_dump(include=set(prose_of(type(model))))
    try:
        return type(model).model_validate({**prose, **recorded})
    except ValidationError:
        return None


def _workload_of(data: Any) -> Any:
    """The workload among the sets of a profile, recorded or as a model; `embedded` as it is."""
    return value_at(data, "workload") if isinstance(data, BaseModel | Mapping) else data
