"""Text that a terminal shows as it is: what steers it or is not seen is written as an escape."""

import re
from pathlib import Path

# Control characters but tab and line feed; bytes of names that are not UTF-8; and what Unicode
# calls format characters or default ignorable: direction, zero width, fillers, tags.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BYTE = 0xDC00  # Python has the byte b of a name that is not UTF-8 as this character and b
_NOT_PLAIN = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 40


def visible(text: str) -> str:
    r"""`text` with each character that steers a terminal, or is not seen, as `\x1b` or `\u202e`.

    Lines and tabs stay. A byte of a name that is not UTF-8 is `\xff`.
    """
    return _UNSEEN.sub(lambda match: _escape(ord(match[0])), text)


def in_one_line(text: str) -> str:
    r"""As `visible`, with line feeds and tabs as `\n` and `\t`: for names, which may have them."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def plain_stem(name: str) -> str:
    """A file's name without its suffix, of letters, digits, `.`, `_` and `-`, at most 40."""
    return _NOT_PLAIN.sub("-", Path(name).stem)[:_LONGEST_NAME]


def is_utf8(path: Path) -> bool:
    """Whether a path is UTF-8, as libraries in other languages need it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(number: int) -> str:
    if 0x80 <= number - _BYTE <= 0xFF:
        number -= _BYTE
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
