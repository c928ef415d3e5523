"""The values that a figure can be traced to: results, specs, and stored outputs of benchmarks."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import (
    Result,
    ResultFile,
    Verdict,
    read_result_file,
)
from dust_core.errors import DustError
from dust_eval.figures.figure import OUTPUTS, figures_of

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet

_FIELD_UNITS = {
    "params_M": "M",
    "flops_G": "GFLOP",
    "size_MB": "MB",
    "vram_GB": "GB",
    "chamfer": "m",
    "absrel": "fraction",
    "rmse": "m",
    "delta1": "fraction",
    "t_pair_p50_ms": "ms",
    "t_pair_p95_ms": "ms",
    "t_scene_s": "s",
    "pairs_per_sec": "pairs/s",
    "gpu_hours": "h",
}
_SUFFIXES = {"_ms": "ms", "_s": "s", "seconds": "s", "_MB": "MB", "_GB": "GB", "_percent": "%"}
_KEYS = {
    "%": ("percentile",),
    "pairs": ("pairs",),
    "epochs": ("epochs", "patience"),
    "images": ("images",),
    "pixels": ("height", "width", "side", "patch", "size"),
    "days": ("days",),
    "GB": ("gb", "memory"),
    "s": ("seconds",),
}
"""What names of values in the specs say of their units."""
_SHARES = {
    "after", "confidence", "depth", "ffn", "flip", "heads", "least_width", "rho", "smallest_crop",
    "to", "value", "warmup",
}  # fmt: skip
"""Values in the specs between 0 and 1 that a text may give in percent; a rate is none."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is written down.

    Attributes:
        value: in `unit`.
        unit: a key of `UNITS`, or "" for none.
        what: its name.
        where: the file that holds it.
        again: the command that makes it again; "" for a value that somebody decided.
        rank: 0 for what a line was judged by, 1 for what is recorded, 2 for what follows from two
            records.
        finished: when it was measured, in seconds since 1970; 0 for a value of another kind.
    """

    value: float
    unit: str
    what: str
    where: str
    again: str = ""
    rank: int = 1
    finished: float = 0.0


def known_values(specs: "SpecSet", project: Path) -> Iterator[Known]:
    """All values of the results that are here, of the specs, and of stored outputs.

    A file among the artifacts that is no result holds no values.
    """
    for path in sorted((project / ARTIFACTS).glob("*/*.json")):
        try:
            file = read_result_file(path)
        except DustError:
            continue
        yield from of_result(file, path.relative_to(project).as_posix(), path.parent.name)
    yield from of_specs(specs)
    for path in sorted((project / OUTPUTS).glob("*.txt")):
        yield from of_output(
            path.read_text(encoding="utf-8", errors="replace"), path.relative_to(project).as_posix()
        )


def of_result(file: ResultFile, where: str, profile: str) -> Iterator[Known]:
    """The records, quantities, verdicts, times and other outputs of a result file."""
    again = f"dust run {file.task} --profile {profile}"
    finished = max(result.provenance.finished.timestamp() for result in file.results)
    known = partial(Known, where=where, again=again, finished=finished)
    for result in file.results:
        for what, value, unit in (*_of_record(result), *_of_provenance(result, file.task)):
            yield known(value, unit, what)
    for verdict in file.verdicts:
        for what, value, unit in _of_verdict(verdict):
            yield known(value, unit, what, rank=0)
    for what, value in _changes(file):
        yield known(value, "%", what, rank=2)
    for key, value in _leaves(file.extra, "extra"):
        unit = next((u for suffix, u in _SUFFIXES.items() if key.endswith(suffix)), "")
        yield known(value, unit, f"{key} of {file.task}")


def of_specs(specs: "SpecSet") -> Iterator[Known]:
    """Every number of the specs, with the unit that it is given or that its name says."""
    for where, document in specs.documents.items():
        for key, value in _leaves(document.data, ""):
            parent = key.rpartition(".")[0].removeprefix(".")
            unit = specs.gates[g].unit if (g := parent.rpartition(".")[2]) in specs.gates else ""
            name = key.lower()
            named = [u for u, words in _KEYS.items() if any(word in name for word in words)]
            bare = "fraction" if 0 < value < 1 and key.rpartition(".")[2] in _SHARES else ""
            for one in dict.fromkeys([unit if unit == "%" else bare, *named]):
                yield Known(value, one, key.removeprefix("."), where)


def of_output(text: str, where: str) -> Iterator[Known]:
    """The figures with a unit that a benchmark printed; its first line is its command."""
    command, _, output = text.partition("\n")
    for figure in figures_of(output):
        line = f"line {figure.line + 1}"
        yield Known(figure.value, figure.unit, line, where, command.removeprefix("$ "))


def _of_record(result: Result) -> Iterator[tuple[str, float, str]]:
    for field, unit in _FIELD_UNITS.items():
        value = getattr(result.record, field, None)
        if value is not None:
            yield f"{field} of {result.exp_id} ({result.provenance.role})", value, unit
    if result.record is not None and result.record.notes:
        for figure in figures_of(result.record.notes):
            yield f"notes of {result.exp_id}", figure.value, figure.unit


def _of_provenance(result: Result, task: str) -> Iterator[tuple[str, float, str]]:
    ran = result.provenance
    for name, value in ran.quantities.items():
        yield f"{name} of {task}", value, ""
    yield f"time of {task}", (ran.finished - ran.started).total_seconds(), "s"
    for values in list(ran.per_pair.values())[:1]:
        yield f"measured pairs of {task}", len(values), "pairs"


def _changes(file: ResultFile) -> Iterator[tuple[str, float]]:
    """What texts say of two results of a file that no line compares, in percent.

    Every result against the baseline, and the candidates against what was measured beside them.
    """
    from dust_eval.gates.effects import drop_percent, reduction_percent

    for ours, theirs in permutations(file.results, 2):
        a, b = ours.record, theirs.record
        roles = (ours.provenance.role, theirs.provenance.role)
        if a is None or b is None or not _is_compared(*roles):
            continue
        named = f"of {ours.exp_id} against {theirs.exp_id} ({roles[1]})"
        if a.delta1 is not None and b.delta1:
            yield f"drop of delta1 {named}", drop_percent("delta1", a.delta1, b.delta1)
        if a.t_pair_p50_ms is not None and b.t_pair_p50_ms:
            yield f"p50 saved {named}", reduction_percent(a.t_pair_p50_ms, b.t_pair_p50_ms)


def _is_compared(ours: str, theirs: str) -> bool:
    return theirs == "baseline" or (ours, theirs) == ("candidate", "reference")


def _of_verdict(verdict: Verdict) -> Iterator[tuple[str, float, str]]:
    name = f"{verdict.metric} of {verdict.task}, line {verdict.gate}"
    unit = "%" if verdict.unit == "%" else ""
    effects = [(f"change of {e.metric}, {name}", e.change, e.interval) for e in verdict.beside]
    for what, value, interval in [(name, verdict.value, verdict.interval), *effects]:
        if value is not None:
            yield what, value, unit
        if interval is not None:
            yield f"lower end of {what}", interval.low, unit
            yield f"upper end of {what}", interval.high, unit
            yield f"confidence of {what}", 100 * interval.confidence, "%"


def _leaves(data: Any, key: str) -> Iterator[tuple[str, float]]:
    """The numbers in nested mappings and lists, each with its dotted key."""
    if isinstance(data, dict):
        for name, inner in data.items():
            yield from _leaves(inner, f"{key}.{name}")
    elif isinstance(data, list | tuple):
        for index, inner in enumerate(data):
            yield from _leaves(inner, f"{key}[{index}]")
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield key, float(data)
