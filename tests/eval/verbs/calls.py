"""Calls of the command line, as the tests of verbs make them."""

import pytest

from dust_core.cli import main


def dust(*arguments: object) -> int:
    """The exit code of `dust` with these arguments."""
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    code = ending.value.code
    return code if isinstance(code, int) else 0
