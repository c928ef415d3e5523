"""What a plain scalar means, by the core schema of YAML 1.2.2, section 10.3.2.

Octal numbers, hexadecimal numbers and leading zeros are left out: `010` is text, not eight or ten,
so a model that expects a number refuses it.
"""

import re
from typing import Any

MAX_DIGITS = 40

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_A_NUMBER = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def core_scalar(text: str) -> Any:
    """The value of an unquoted scalar: None, a bool, an int, a float, or the text itself.

    Raises:
        ValueError: a number that is infinite, NaN or of more than 40 digits.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text):
        return int(_short(text))
    if _FLOAT.match(text):
        number = float(_short(text))
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"the number {text} is out of range")
        return number
    if _NOT_A_NUMBER.match(text):
        raise ValueError(f"{text} is not a value that a spec can hold")
    return text


def _short(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return text
