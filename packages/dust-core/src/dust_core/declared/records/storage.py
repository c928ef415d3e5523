"""Result files on disk: written whole or not at all, read with errors that say where."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dust_core.declared.records.record import RECORD_FIELDS
from dust_core.declared.records.result import ResultFile
from dust_core.errors import DustError
from dust_core.files import atomic_write_text

MAX_BYTES = 16_000_000
MAX_FAULTS_SHOWN = 5

Loc = tuple[str | int, ...]

# In JSON text a raw newline stands only between values, so neither pattern can touch a string.
_NEWLINE = re.compile(r"\n\s*")
_SCALAR_LIST = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s*\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a result file: where in it (keys and indices from the root), and what."""

    loc: Loc
    message: str

    def __str__(self) -> str:
        place = path_text(self.loc)
        return f"{place}: {self.message}" if place else self.message


class ResultFileError(DustError):
    """A file that is not a result file; `faults` has every fault in it, in reading order."""

    def __init__(self, path: Path, faults: tuple[Fault, ...], *, fix: str) -> None:
        shown = [str(fault) for fault in faults[:MAX_FAULTS_SHOWN]]
        if len(faults) > MAX_FAULTS_SHOWN:
            shown.append(f"and {len(faults) - MAX_FAULTS_SHOWN} more")
        super().__init__("\n  ".join(shown), where=str(path), fix=fix)
        self.faults = faults


def path_text(loc: Loc) -> str:
    """`results[0].record.rmse` of `("results", 0, "record", "rmse")`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def write_result_file(path: Path, content: ResultFile) -> None:
    """Write a result file atomically: a reader sees the old file or the new one, never a part.

    Raises:
        DustError: the file cannot be written.
    """
    atomic_write_text(path, result_file_text(content))


def result_file_text(content: ResultFile) -> str:
    """A result file's JSON, two spaces deep, with lists of plain values on one line."""
    text = json.dumps(content.model_dump(mode="json"), indent=2, allow_nan=False)
    return _SCALAR_LIST.sub(lambda found: f"[{_NEWLINE.sub(' ', found[1])}]", text) + "\n"


def read_result_file(path: Path) -> ResultFile:
    """Read and check a result file.

    Raises:
        ResultFileError: it is missing, too large, not JSON, or not a result; every fault is told.
    """
    return parse_result_file(_read_bytes(path), path)


def parse_result_file(content: bytes, path: Path) -> ResultFile:
    """Check the bytes of a result file; `path` is only quoted in messages.

    Raises:
        ResultFileError: see `read_result_file`.
    """
    try:
        text = content.decode("utf-8")
        data = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _unreadable(path, message) from error
    except RecursionError as error:
        raise _unreadable(path, "not a result file: nested too deeply") from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error
    try:
        result = ResultFile.model_validate_json(text)
    except ValidationError as error:
        raise _incorrect(path, tuple(_faults(error.errors(include_url=False)))) from error
    if disorder := tuple(_out_of_order(data)):
        raise _incorrect(path, disorder)
    return result


def read_result_folder(folder: Path) -> dict[Path, ResultFile]:
    """Every result file directly in `folder`, by path, in the order of their names.

    JSON files of another kind (a manifest, a training curve) are passed over.

    Raises:
        ResultFileError: a file that calls itself a Result is not one.
        DustError: the folder is not there.
    """
    if not folder.is_dir():
        raise DustError(
            "there is no such folder of results",
            where=str(folder),
            fix="run a stage first (dust run TASK --profile PROFILE), or name another profile",
        )
    contents = {path: _read_bytes(path) for path in sorted(folder.glob("*.json"))}
    return {
        path: parse_result_file(content, path)
        for path, content in contents.items()
        if _is_result(content)
    }


def _is_result(content: bytes) -> bool:
    """Whether a file is meant as a result: one that cannot be parsed is, by its suffix, suspect."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return b'"Result"' in content
    return isinstance(data, dict) and data.get("kind") == "Result"


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        fix = "run the task that writes it: dust run TASK --profile PROFILE"
        raise ResultFileError(path, (Fault((), "there is no such file"),), fix=fix) from error
    except OSError as error:
        message = f"cannot read the file: {error.strerror or error}"
        raise ResultFileError(path, (Fault((), message),), fix="check the path") from error
    if len(content) > MAX_BYTES:
        raise _unreadable(path, f"larger than {MAX_BYTES:,} bytes")
    return content


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"not a result file: the key {twice!r} is there twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that a result may hold; null says 'not measured'")


def _out_of_order(data: dict[str, Any]) -> Iterator[Fault]:
    for index, result in enumerate(data["results"]):
        fields = tuple(result["record"] or RECORD_FIELDS)
        for found, expected in zip(fields, RECORD_FIELDS, strict=True):
            if found != expected:
                yield Fault(
                    ("results", index, "record", found),
                    f"out of order: {expected} belongs here",
                )
                break


def _faults(errors: list[ErrorDetails]) -> Iterator[Fault]:
    """The faults, less those that pydantic only infers: a list is short of its faulty items."""
    for details in errors:
        loc = details["loc"]
        inside = [one for one in errors if one["loc"][: len(loc)] == loc and one is not details]
        if details["type"] != "too_short" or not inside:
            yield _fault(details)


def _fault(details: ErrorDetails) -> Fault:
    loc = tuple(details["loc"])
    message = details["msg"].removeprefix("Value error, ")
    match details["type"]:
        case "missing":
            message = "the field is absent; where it does not apply, write null"
        case "extra_forbidden":
            message = f"there is no such field{_nearest(loc)}"
        case "greater_than" if details["input"] == 0:
            message = "0 stands for no measurement; write null, and its reason in provenance"
        case kind if kind not in ("value_error", "missing"):
            found = json.dumps(details["input"], default=str)
            found = found if len(found) <= 60 else f"{found[:57]}..."
            message = f"{message[0].lower()}{message[1:]}; found {found}"
    return Fault(loc, message)


def _nearest(loc: Loc) -> str:
    near = get_close_matches(str(loc[-1]), _known_keys(loc), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _known_keys(loc: Loc) -> Iterable[str]:
    from dust_core.declared.records.provenance import Provenance

    if "record" in loc:
        return RECORD_FIELDS
    return Provenance.model_fields if "provenance" in loc else ResultFile.model_fields


def _unreadable(path: Path, message: str) -> ResultFileError:
    return ResultFileError(
        path, (Fault((), message),), fix="delete the file and run its task again"
    )


def _incorrect(path: Path, faults: tuple[Fault, ...]) -> ResultFileError:
    return ResultFileError(
        path, faults, fix="run the task again; result files are written by tasks, not by hand"
    )
