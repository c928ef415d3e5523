"""Translate pydantic's errors to the document's own keys and to plain words."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from dust_core.declared.reading.wording import nearest, one_of, path_text, quote

Loc = tuple[str | int, ...]

_TYPES = {
    "bool_": "true or false",
    "date_": "a date such as 2027-01-31",
    "dict_": "a mapping",
    "float_": "a number",
    "int_": "a whole number",
    "list_": "a list",
    "model_": "a mapping",
    "string_type": "text",
    "tuple_": "a list",
}
_SHORTER = {
    "Input should be ": "",
    "Input should ": "",
    "String should match pattern": "text that matches",
    "String should have": "text of",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}
_PYDANTICS_OWN = frozenset(get_args(ErrorType)) - {"value_error"}


@dataclass(frozen=True, slots=True)
class ModelFault:
    """A value or key that a model refused, and why.

    Attributes:
        code: pydantic's error type, or a constraint's own code such as `static_shape`.
        loc: keys and indices from the document's root to the value, or to the key if the key is
            refused (`of_key`) or absent (`missing`).
        message: the text of pydantic or of the constraint.
        value: what was refused.
        expected: what the model accepts, if the error says it.
        choices: the right spellings, if there are any.
        of_key: the key at `loc` is wrong, not its value.
    """

    code: str
    loc: Loc
    message: str
    value: Any
    expected: str = ""
    choices: tuple[str, ...] = ()
    of_key: bool = False


@dataclass(slots=True)
class _Branch:
    """Errors of one alternative of a union at one place."""

    faults: list[ModelFault] = field(default_factory=list)
    deep: int = 0


def model_faults(
    error: ValidationError, data: Any, model: type[BaseModel]
) -> tuple[ModelFault, ...]:
    """The faults in `data` for which validating it against `model` failed with `error`.

    If all alternatives of a union refuse a value, the faults are those of the closest alternative.
    """
    plain: list[ModelFault] = []
    unions: dict[Loc, dict[str, _Branch]] = {}
    for details in error.errors(include_url=False):
        at = _locate(details, data)
        fault = _fault(details, at.loc, model)
        if at.split is None:
            plain.append(fault)
        else:
            branch = unions.setdefault(at.split, {}).setdefault(at.tag, _Branch())
            branch.faults.append(fault)
            branch.deep += fault.loc != at.split
    for branches in unions.values():
        meant = [branch for branch in branches.values() if branch.deep] or list(branches.values())
        plain.extend(min(meant, key=lambda branch: len(branch.faults)).faults)
    return tuple(fault for fault in plain if not _follows(fault, plain))


def expectation(fault: ModelFault) -> str:
    """What would have been right where a model refused a value."""
    if fault.choices:
        return one_of(fault.choices)
    for ending, expected in _TYPES.items():
        if fault.code.startswith(ending):
            return expected
    text = fault.expected or fault.message
    for long, short in _SHORTER.items():
        text = text.replace(long, short)
    return text


def fault_text(fault: ModelFault) -> str:
    """A fault in one line of text: where it is, what is wrong, what would be right.

    For example `results[0].record.T: found "3", expected a number`.
    """
    place = path_text(fault.loc)
    return f"{place}: {_what(fault)}" if place else _what(fault)


def _what(fault: ModelFault) -> str:
    match fault.code:
        case "missing":
            return "the field is absent"
        case "extra_forbidden":
            near = nearest(str(fault.loc[-1]), fault.choices)
            hint = f"did you mean {near}?" if near else f"expected {expectation(fault)}"
            return f"there is no such field; {hint}"
        case code if code not in _PYDANTICS_OWN:
            return fault.message
    shown = quote(fault.value)
    shown = json.dumps(shown, ensure_ascii=False) if isinstance(fault.value, str) else shown
    near = nearest(fault.value, fault.choices) if isinstance(fault.value, str) else ""
    hint = f"; did you mean {near}?" if near else ""
    return f"found {shown}, expected {expectation(fault)}{hint}"


def _follows(fault: ModelFault, faults: Sequence[ModelFault]) -> bool:
    """Whether a list is too short only because its items were refused, which is reported anyway."""
    depth = len(fault.loc)
    return fault.code == "too_short" and any(
        len(inner.loc) > depth and inner.loc[:depth] == fault.loc for inner in faults
    )


@dataclass(frozen=True, slots=True)
class _Location:
    """A pydantic location in the document's keys; `split` and `tag` name a union's alternative."""

    loc: Loc
    split: Loc | None
    tag: str


def _locate(error: ErrorDetails, data: Any) -> _Location:
    """Drop the parts of a location that are tags of union alternatives, not keys."""
    loc: list[str | int] = []
    split: Loc | None = None
    tag, value = "", data
    parts = [part for part in error["loc"] if part != "[key]"]
    for index, part in enumerate(parts):
        absent = index == len(parts) - 1 and error["type"] == "missing"
        if _has(value, part):
            value = value[part]
        elif not absent:
            split, tag = tuple(loc), str(part)
            continue
        loc.append(part)
    return _Location(tuple(loc), split, tag)


def _fault(error: ErrorDetails, loc: Loc, model: type[BaseModel]) -> ModelFault:
    context = error.get("ctx", {})
    code, value = error["type"], error["input"]
    expected = _plain(str(context.get("expected", "")))
    choices: tuple[str, ...] = ()
    of_key = error["loc"][-1:] == ("[key]",) or code == "extra_forbidden"
    if code in ("extra_forbidden", "missing"):
        choices = tuple(known_keys(model, error["loc"][:-1]))
    elif code in ("literal_error", "union_tag_invalid"):
        listed = str(context.get("expected", context.get("expected_tags", "")))
        choices = tuple(re.findall(r"'([^']*)'", listed))
    elif re.fullmatch(r"[\w.-]+((, | or )[\w.-]+)+", expected):
        choices = tuple(re.split(r", | or ", expected))
    if code in ("union_tag_invalid", "union_tag_not_found"):
        discriminator = str(context.get("discriminator", "")).strip("'")
        loc, value = (*loc, discriminator), _member(value, discriminator)
        code = "missing" if code == "union_tag_not_found" else code
    for name in ("field", "index"):
        if name in context:
            loc, value = (*loc, context[name]), _member(value, context[name])
    return ModelFault(
        code=code,
        loc=loc,
        message=error["msg"].removeprefix("Value error, "),
        value=value,
        expected=expected,
        choices=choices,
        of_key=of_key,
    )


def _member(value: Any, part: Any) -> Any:
    """A member of a value; None if the value has no member of that name."""
    return value[part] if _has(value, part) else None


def _has(value: Any, part: Any) -> bool:
    if isinstance(value, list | tuple):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _plain(expected: str) -> str:
    """Python's spelling of a tuple or a text, in YAML's spelling."""
    listed = f"[{expected[1:-1].rstrip(',')}]" if expected.startswith("(") else expected
    return listed.replace("'", "")


def known_keys(model: Any, loc: Sequence[str | int]) -> Iterator[str]:
    """The keys that `model` has at a pydantic location, whose parts may be tags of unions."""
    here: list[Any] = [model]
    for part in loc:
        here = [inner for option in here for inner in _step(option, part)]
    for option in here:
        for alternative in _alternatives(option):
            if isinstance(alternative, type) and issubclass(alternative, BaseModel):
                yield from alternative.model_fields


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    for option in _alternatives(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            if part in option.model_fields:
                yield option.model_fields[str(part)].annotation
            elif part == option.__name__ or part in _tags(option):
                yield option
        elif get_origin(option) in (dict, tuple, list):
            yield get_args(option)[-1 if get_origin(option) is dict else 0]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of the field that distinguishes the alternatives."""
    field = model.model_fields.get("does")
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The members of a union, or the annotation itself; without `Annotated` and None."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for option in get_args(annotation):
            yield from _alternatives(option)
    elif annotation is not NoneType:
        yield annotation
