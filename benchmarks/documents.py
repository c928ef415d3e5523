"""Tables of measurements in documents, replaced by the script that measures."""

import re
from pathlib import Path

from dust_core.errors import DustError
from dust_core.files import atomic_write_text


def write_between(begin: str, end: str, text: str, file: Path) -> None:
    """Replace the text between two marks, each on a line of its own.

    Raises:
        DustError: the document has no such marks.
    """
    old = file.read_text()
    if begin not in old or end not in old:
        raise DustError(
            "this document has no place for the table",
            where=str(file),
            fix=f"add the lines {begin} and {end}",
        )
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    atomic_write_text(file, between.sub(lambda _: f"{begin}\n{text}\n{end}", old))
