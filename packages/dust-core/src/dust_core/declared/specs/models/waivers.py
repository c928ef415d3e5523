"""Waivers: who permits what to be loosened, from where to where, and until when."""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue

from dust_core.declared.specs.models.base import SpecModel
from dust_core.declared.specs.models.constraints import Number, Text, refuse


def _text(value: Any) -> Any:
    if isinstance(value, str | date):
        return value
    # By default pydantic reads a number as seconds since 1970.
    raise refuse(
        "date_type",
        "{found} is not {expected}",
        found=str(value),
        expected="a date such as 2027-01-31",
    )


class Permission(SpecModel):
    """Who permits something, why, and until when."""

    reason: Text = Field(
        description="Why it is permitted.", examples=["INT8 kernels miss on this device"]
    )
    owner: Text = Field(description="The person or team responsible.", examples=["@reviewer"])
    approved_by: Text = Field(
        description="Who approved it: an owner of the specs by .github/CODEOWNERS, and not the "
        "author of the commits that add it.",
        examples=["@dust-project/spec-approvers"],
    )
    expires: Annotated[date, BeforeValidator(_text)] = Field(
        description="Last day on which it holds (ISO date), at most 180 days ahead.",
        examples=["2027-01-31"],
    )


class Waiver(Permission):
    """Permission to loosen a line, within a scope and until a date."""

    from_: Number = Field(
        alias="from", description="The value of the line that it departs from.", examples=[1.0]
    )
    to: Number = Field(description="The loosest value that it permits.", examples=[1.5])


class ValueWaiver(Permission):
    """Permission to change a protected value, which is no line, in the direction that makes
    passing easier.
    """

    value: Text = Field(
        description="The value: its file, a colon, and its key below spec.",
        examples=["specs/profiles/small.yaml: threads"],
    )
    from_: JsonValue = Field(
        alias="from", description="The value that it departs from.", examples=[2]
    )
    to: JsonValue = Field(description="The value that it permits.", examples=[4])
