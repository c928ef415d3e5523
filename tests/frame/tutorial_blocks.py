"""The blocks of a document in order, and what the words before each say of it.

The words are for readers. A paragraph that begins with `Not run by the test` gives the reason. One
that ends with "Write `NAME`:" or "Append to `NAME`:" names the file that the block is for. "exit
code 0 or 1" says how the commands of the next block end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt

FILE = re.compile(r"(Write|Append to) `([^`]+)`:$")
CODES = re.compile(r"exit code (\d)(?: or (\d))?")
NOT_RUN = re.compile(r"\*Not run by the test: (.+)\*$")


@dataclass(frozen=True)
class Block:
    """A block of code: its language and text, its line in the document, and what is said of it."""

    language: str
    text: str
    line: int
    not_run: str | None = None
    file: str | None = None
    append: bool = False
    codes: tuple[int, ...] = (0,)


def blocks(document: str) -> Iterator[Block]:
    """Every fenced block; the paragraph right before a block is said of it alone."""
    said = ""
    for token in MarkdownIt("commonmark").parse(document):
        if token.type == "inline":
            said = " ".join(token.content.split())
        elif token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            yield _block(token.info.strip(), token.content, line, said)
            said = ""


def _block(language: str, text: str, line: int, said: str) -> Block:
    reason, file, codes = NOT_RUN.match(said), FILE.search(said), CODES.findall(said)
    expected = tuple(int(code) for pair in codes for code in pair if code)
    return Block(
        language,
        text,
        line,
        not_run=reason[1] if reason else None,
        file=file[2] if file else None,
        append=bool(file and file[1] == "Append to"),
        codes=expected or (0,),
    )
