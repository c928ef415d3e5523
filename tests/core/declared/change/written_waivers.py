"""Waivers as people write them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

OWNER = "@dust-project/spec-approvers"


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def waiver(
    departure: Any,
    limit: Any,
    *,
    approved_by: str = OWNER,
    expires: str = "",
    reason: str = "attention is slower in INT8 here",
) -> str:
    """The waiver of a line, in one line."""
    return (
        f"waiver: {{from: {departure}, to: {limit}, reason: {reason}, owner: '@ana', "
        f"approved_by: '{approved_by}', expires: {expires or in_days(90)}}}"
    )


def loosened(address: str, departure: Any, limit: Any, **more: str) -> str:
    """The waiver of a protected value, an item of the list in gates.yaml."""
    permission = waiver(json.dumps(departure), json.dumps(limit), **more)
    return f"    - {{value: '{address}', {permission.removeprefix('waiver: {')}\n"
