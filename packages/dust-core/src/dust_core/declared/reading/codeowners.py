"""CODEOWNERS as GitHub reads it.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks for the file; the first that is there counts."""

_OWNER = re.compile(
    r"@[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?|[^@\s]+@[^@\s]+\.[^@\s]+"
)
_TOKENS = re.compile(r"/\*\*/|\*\*/|/\*\*|\*|\?|\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a pattern and its owners. Without owners the files that match have none."""

    line: int
    pattern: str
    owners: tuple[str, ...]

    def matches(self, path: str) -> bool:
        """Whether a file, relative to the root, matches."""
        return _expression(self.pattern).fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Owners:
    """The entries of a CODEOWNERS file, and what GitHub would ignore in it."""

    entries: tuple[Entry, ...]
    faults: tuple[str, ...]

    def of(self, path: str) -> tuple[str, ...]:
        """The owners of a file: those of the last pattern that matches it."""
        for entry in reversed(self.entries):
            if entry.matches(path):
                return entry.owners
        return ()


def parse_owners(text: str) -> Owners:
    """Read a CODEOWNERS file. GitHub skips a line with a fault, and so does this."""
    entries: list[Entry] = []
    faults: list[str] = []
    for number, content in enumerate(text.splitlines(), start=1):
        words = _words(content)
        if not words:
            continue
        pattern, owners = words[0], tuple(words[1:])
        fault = _fault(pattern, owners)
        if fault:
            faults.append(f"line {number}: {fault}")
        else:
            entries.append(Entry(number, pattern, owners))
    return Owners(tuple(entries), tuple(faults))


def _words(line: str) -> list[str]:
    """The words before a comment; a backslash takes a space or a # into a word."""
    words = re.findall(r"(?:\\.|[^\s\\])+", line)
    comment = next((index for index, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def _fault(pattern: str, owners: Sequence[str]) -> str:
    if pattern.startswith(("!", r"\#")) or "[" in pattern:
        return f"{pattern} is a pattern that GitHub does not support"
    wrong = [owner for owner in owners if not _OWNER.fullmatch(owner)]
    return f"{wrong[0]} is no user, team or email address" if wrong else ""


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression over whole paths.

    As in a .gitignore: a slash before the end ties the pattern to the root, `*` stays in a folder,
    and a folder includes what is below it. A `*` as the last part includes files alone.
    """
    tied = "/" in pattern[:-1]
    parts = (_part(token) for token in _TOKENS.findall(pattern.strip("/")))
    body = "".join(parts)
    if pattern.endswith("/"):
        below = "/.+"
    elif pattern.endswith("/*"):
        below = ""
    else:
        below = "(/.+)?"
    return re.compile(f"{'' if tied else '(?:.*/)?'}{body}{below}", re.DOTALL)


def _part(token: str) -> str:
    known = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.+", "*": "[^/]*", "?": "[^/]"}
    return known.get(token) or re.escape(token.removeprefix("\\"))
