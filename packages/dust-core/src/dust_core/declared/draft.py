"""Whether this process runs a draft: specs that nobody approved, whose verdicts decide nothing."""

import os

_VARIABLE = "DUST_DRAFT"
"""The environment variable that is 1 while a draft runs, in each process that it starts."""


def mark_draft(*, draft: bool) -> None:
    """Make this process, and all that it starts, a draft where `draft` is true."""
    if draft:
        os.environ[_VARIABLE] = "1"


def is_draft() -> bool:
    """Whether this process runs a draft."""
    return os.environ.get(_VARIABLE) == "1"
