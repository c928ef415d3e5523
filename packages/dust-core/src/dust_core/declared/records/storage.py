"""Result files on disk: written atomically, read with errors that name the place."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dust_core.declared.reading.faults import Loc, ModelFault, fault_text, model_faults
from dust_core.declared.reading.json_text import (
    JsonFault,
    JsonText,
    NoJsonFile,
    parse_json,
    read_json,
)
from dust_core.declared.reading.wording import path_text
from dust_core.declared.records.record import misplaced_field
from dust_core.declared.records.result import ResultFile
from dust_core.declared.specs.names.files import parse_file_name
from dust_core.errors import DustError
from dust_core.files import atomic_write_text

MAX_FAULTS_SHOWN = 5

# In JSON text a raw newline is only between values, so neither pattern can match in a string.
_NEWLINE = re.compile(r"\n\s*")
_SCALAR_LIST = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s*\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a result file.

    Attributes:
        loc: keys and indices from the root to the value.
        message: what is wrong, after the place if there is one.
    """

    loc: Loc
    message: str

    def __str__(self) -> str:
        return self.message


class ResultFileError(DustError):
    """The file is not a result file; `faults` has every fault, in reading order."""

    def __init__(self, where: str, faults: tuple[Fault, ...], *, fix: str) -> None:
        shown = [str(fault) for fault in faults[:MAX_FAULTS_SHOWN]]
        if len(faults) > MAX_FAULTS_SHOWN:
            shown.append(f"and {len(faults) - MAX_FAULTS_SHOWN} more")
        super().__init__("\n  ".join(shown), where=where, fix=fix)
        self.faults = faults


def write_result_file(path: Path, content: ResultFile) -> None:
    """Write a result file atomically: a reader sees the old file or the new file, never a part.

    Raises:
        DustError: the file cannot be written.
    """
    atomic_write_text(path, result_file_text(content))


def result_file_text(content: ResultFile) -> str:
    """A result file's JSON, two spaces deep, with lists of plain values on one line."""
    text = json.dumps(content.model_dump(mode="json"), indent=2, allow_nan=False)
    return _SCALAR_LIST.sub(lambda listed: f"[{_NEWLINE.sub(' ', listed[1])}]", text) + "\n"


def read_result_file(path: Path) -> ResultFile:
    """Read and check a result file.

    Raises:
        ResultFileError: the file is missing, too large, not JSON, or not a result.
    """
    try:
        source = read_json(path, str(path))
    except JsonFault as fault:
        raise _unreadable(fault) from fault
    return _checked(source)


def parse_result_file(content: bytes, path: Path) -> ResultFile:
    """Check the bytes of a result file; `path` is only quoted in messages.

    Raises:
        ResultFileError: see `read_result_file`.
    """
    try:
        source = parse_json(content, str(path))
    except JsonFault as fault:
        raise _unreadable(fault) from fault
    return _checked(source)


def read_result_folder(folder: Path) -> dict[Path, ResultFile]:
    """Every result file directly in `folder`, by path, in the order of their names.

    JSON files of other kinds (a manifest, a training curve) are skipped.

    Raises:
        ResultFileError: a file is marked or named as a result, but is not a valid result.
        DustError: the folder does not exist.
    """
    if not folder.is_dir():
        raise DustError(
            "there is no such folder of results",
            where=str(folder),
            fix="run a stage first (dust run TASK --profile PROFILE), or name another profile",
        )
    results = {}
    for path in sorted(folder.glob("*.json")):
        source: JsonText | JsonFault
        try:
            source = read_json(path, str(path))
        except JsonFault as fault:
            source = fault
        if not calls_itself_result(path.name, source):
            continue
        if isinstance(source, JsonFault):
            raise _unreadable(source) from source
        results[path] = _checked(source)
    return results


def calls_itself_result(name: str, source: JsonText | JsonFault) -> bool:
    """Whether a JSON file should be a result: by its kind or, if it is unreadable, by its name."""
    if isinstance(source, JsonText):
        return isinstance(source.data, dict) and source.data.get("kind") == "Result"
    try:
        return parse_file_name(name).role in ("evaluation", "log", "ablation")
    except DustError:
        return False


def _checked(source: JsonText) -> ResultFile:
    """Validate the document as a result.

    Raises:
        ResultFileError: it is not a result; the error lists every fault.
    """
    try:
        result = ResultFile.model_validate_json(source.text)
    except ValidationError as error:
        faults = model_faults(error, source.data, ResultFile)
        raise _incorrect(source.path, tuple(map(_fault, faults))) from error
    if disorder := tuple(_out_of_order(source)):
        raise _incorrect(source.path, disorder)
    return result


def _out_of_order(source: JsonText) -> Iterator[Fault]:
    for index, result in enumerate(source.data["results"]):
        if result["record"] and (pair := misplaced_field(result["record"])):
            loc = ("results", index, "record", pair[0])
            yield Fault(loc, f"{path_text(loc)}: out of order, {pair[1]} belongs here")


def _fault(fault: ModelFault) -> Fault:
    text = fault_text(fault)
    if fault.code == "missing":
        text += "; where it does not apply, write null"
    elif fault.code == "greater_than" and fault.value == 0:
        text += "; where nothing was measured write null, and its reason in provenance"
    return Fault(fault.loc, text)


def _unreadable(fault: JsonFault) -> ResultFileError:
    if isinstance(fault, NoJsonFile):
        fix = "run the task that writes it: dust run TASK --profile PROFILE"
        return ResultFileError(fault.place.path, (Fault((), fault.text),), fix=fix)
    message = f"not a result: {fault.text}, expected {fault.expected}"
    fix = "delete the file and run its task again"
    return ResultFileError(str(fault.place), (Fault((), message),), fix=fix)


def _incorrect(path: str, faults: tuple[Fault, ...]) -> ResultFileError:
    return ResultFileError(
        path, faults, fix="run the task again; result files are written by tasks, not by hand"
    )
