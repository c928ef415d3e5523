"""Result files as rules see them: text, places, model, and the specs that they belong to."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dust_core.declared.checks.subjects.specs import SpecTree
from dust_core.declared.reading.json_text import JsonFault, JsonText, Loc, read_json
from dust_core.declared.reading.place import Place

if TYPE_CHECKING:
    from dust_core.declared.reading.faults import ModelFault
    from dust_core.declared.records import ResultFile


@dataclass(frozen=True, eq=False)
class ResultJson:
    """One result file.

    Attributes:
        path: its name in messages.
        file: where it is.
        specs: the specs of its project; None where there are none above it.
    """

    path: str
    file: Path
    specs: SpecTree | None = None
    parts: tuple[()] = ()

    @cached_property
    def source(self) -> JsonText | JsonFault:
        """The document, or why there is none."""
        try:
            return read_json(self.file, self.path)
        except JsonFault as fault:
            return fault

    @cached_property
    def data(self) -> dict[str, Any]:
        """The document's values; empty where it is not a JSON object."""
        data = self.source.data if isinstance(self.source, JsonText) else None
        return data if isinstance(data, dict) else {}

    @property
    def is_result(self) -> bool:
        """Whether the file is marked as a result, or cannot be read and is named like a result."""
        from dust_core.declared.records.storage import calls_itself_result

        return calls_itself_result(self.file.name, self.source)

    @cached_property
    def results(self) -> tuple[tuple[int, dict[str, Any]], ...]:
        """The results that are JSON objects, with their index."""
        results = self.data.get("results")
        listed = results if isinstance(results, list) else []
        return tuple(
            (index, result) for index, result in enumerate(listed) if isinstance(result, dict)
        )

    @cached_property
    def records(self) -> tuple[tuple[Loc, dict[str, Any], dict[str, Any]], ...]:
        """The location of each record that is a JSON object, the record, and its provenance."""
        return tuple(
            (("results", index, "record"), result["record"], _object(result.get("provenance")))
            for index, result in self.results
            if isinstance(result.get("record"), dict)
        )

    @cached_property
    def _validated(self) -> "tuple[ResultFile | None, tuple[ModelFault, ...]]":
        from pydantic import ValidationError

        from dust_core.declared.reading.faults import model_faults
        from dust_core.declared.records import ResultFile

        if not isinstance(self.source, JsonText):
            return None, ()
        try:
            return ResultFile.model_validate_json(self.source.text), ()
        except ValidationError as error:
            return None, model_faults(error, self.data, ResultFile)

    @property
    def model(self) -> "ResultFile | None":
        """The file as its model; None where the model refuses it."""
        return self._validated[0]

    @property
    def faults(self) -> "tuple[ModelFault, ...]":
        """What the model refuses."""
        return self._validated[1]

    def place(self, loc: Loc = (), *, of_key: bool = False) -> Place:
        """Where the value at `loc` is, or its key."""
        if isinstance(self.source, JsonFault):
            return self.source.place
        return self.source.place(loc, of_key=of_key)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
