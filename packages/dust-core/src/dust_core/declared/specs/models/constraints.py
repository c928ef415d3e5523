"""Constraints with a reason: each refusal has a code, which a validator rule reports.

A plain bound (`ge=1`) needs no reason. The constraints here are the project's protocol, so their
messages name the reason, and their pydantic error type is the code, e.g. `static_shape`.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, Strict, StringConstraints
from pydantic_core import PydanticCustomError, core_schema

Int = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Bool = Annotated[bool, Strict()]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
TaskId = Annotated[
    str, StringConstraints(pattern=r"^(P0|K|Q|KQ|P|ABL)-[0-9a-z][0-9a-z-]*$", max_length=40)
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
RelativePath = Annotated[
    str,
    # No component starts with a dot, so no path leaves the repository.
    StringConstraints(pattern=r"^[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)*$", max_length=200),
]


def refuse(code: str, message: str, **context: Any) -> PydanticCustomError:
    """An error for a validator to raise; `message` may contain `{found}` and other context.

    The message is a template of pydantic-core, which formats the context into it.
    """
    return PydanticCustomError(code, message, context)


@dataclass(frozen=True)
class OneOf:
    """Annotation: the value is one of `values`, by the protocol."""

    values: tuple[Any, ...]
    code: str
    why: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        inner = handler(schema)
        if len(self.values) == 1:
            return inner | {"const": self.values[0]}
        return inner | {"enum": list(self.values)}

    def _check(self, value: Any) -> Any:
        if value in self.values:
            return value
        expected = " or ".join(str(v) for v in self.values)
        raise refuse(
            self.code,
            "{found} is not {expected}: {why}",
            found=str(value),
            expected=expected,
            why=self.why,
        )


@dataclass(frozen=True)
class Within:
    """Annotation: a number from `low` to `high`, both included; None is no bound."""

    low: float | None
    high: float | None
    code: str
    why: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        bounds = {"minimum": self.low, "maximum": self.high}
        return handler(schema) | {key: end for key, end in bounds.items() if end is not None}

    def _check(self, value: Any) -> Any:
        below = self.low is not None and value < self.low
        above = self.high is not None and value > self.high
        if not (below or above):
            return value
        if self.high is None:
            expected = f"at least {self.low}"
        elif self.low is None:
            expected = f"at most {self.high}"
        else:
            expected = f"from {self.low} to {self.high}"
        raise refuse(
            self.code,
            "{found} is not {expected}: {why}",
            found=str(value),
            expected=expected,
            why=self.why,
        )
