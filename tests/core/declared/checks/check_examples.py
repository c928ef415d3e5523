"""Examples as data: a valid project, and what makes it invalid, each beside its exact message.

`tests/examples/valid` is a whole project in miniature. `tests/examples/invalid/RULE-what.toml` says
what a person got wrong in it, as edits, and `RULE-what.txt` is what `dust validate` prints then.
"""

import re
import shutil
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[3] / "examples"
VALID = EXAMPLES / "valid"
INVALID = sorted((EXAMPLES / "invalid").glob("*.toml"))


def build(example: Path | None, folder: Path) -> Path:
    """A copy of the valid project in `folder`, with the edits of an example made to it.

    An example that concerns specs alone has no artifacts beside them: nothing was executed yet.
    """
    shutil.copytree(VALID, folder, dirs_exist_ok=True)
    if example is not None:
        content = tomllib.loads(_dated(example.read_text(encoding="utf-8")))
        edits = content["edit"]
        on_artifacts = any(edit["file"].startswith("artifacts/") for edit in edits)
        if not (on_artifacts or content.get("executed", False)):
            shutil.rmtree(folder / "artifacts")
        for edit in edits:
            _apply(edit, folder)
    return folder


def _dated(text: str) -> str:
    """The text with `<in 90 days>` as a date: a waiver is judged on the day of the test."""
    today = datetime.now(UTC).date()
    return re.sub(r"<in (\d+) days>", lambda m: str(today + timedelta(days=int(m[1]))), text)


def _apply(edit: dict[str, Any], folder: Path) -> None:
    file = folder / edit["file"]
    match edit:
        case {"find": find, "replace": replace}:
            text = file.read_text(encoding="utf-8")
            assert text.count(find) >= 1, f"{edit['file']} does not have {find!r}"
            file.write_text(text.replace(find, replace, 1), encoding="utf-8")
        case {"content": content}:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        case {"hex": digits}:
            file.write_bytes(bytes.fromhex(digits))
        case {"copy": target}:
            shutil.copy(file, folder / target)
        case {"rename": target}:
            file.rename(folder / target)
        case {"remove": True}:
            file.unlink()
        case _:
            raise AssertionError(f"an edit of no known kind: {edit}")
