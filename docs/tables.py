"""Write the tables of what came of the experiments, from the results that dvc.lock names.

python docs/tables.py          # writes every table anew
python docs/tables.py --check  # exits 1 where a table is not that of the results

A table stands between `<!-- table NAME: python docs/tables.py -->` and `<!-- end -->`. Results come
from the repository's store, so a clone needs no pull.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dust_core.declared.change.executed import executions
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import Result, ResultFile, Verdict, parse_result_file
from dust_core.errors import DustError
from dust_core.files import atomic_write_text
from dust_eval.gates import drop_percent

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MARKED = re.compile(r"(<!-- table (\S+): .*? -->\n).*?(<!-- end -->)", re.DOTALL)
PROFILE = "small"

Row = Iterable[str]


def main() -> None:
    """Write the tables, or compare them."""
    stale = []
    for document in DOCUMENTS:
        before = document.read_text(encoding="utf-8")
        after = MARKED.sub(lambda at: f"{at[1]}\n{_named_table(at[2])}\n\n{at[3]}", before)
        if after != before:
            stale.append(document.relative_to(ROOT).as_posix())
            if "--check" not in sys.argv[1:]:
                atomic_write_text(document, after)
    if stale and "--check" in sys.argv[1:]:
        sys.exit(f"stale tables in {', '.join(stale)}; write them: python docs/tables.py")


def result(task: str, file: str) -> ResultFile:
    """A result as the lock names it.

    Raises:
        DustError: the task was not executed, or its result is not in the store or no result.
    """
    path = ARTIFACTS / PROFILE / file
    lock = ROOT / "dvc.lock"
    locked = executions({lock.name: lock.read_bytes()} if lock.is_file() else {}, PROFILE)
    digest = locked[task].outputs.get(path.as_posix()) if task in locked else None
    if digest is None:
        raise DustError(f"dvc.lock names no result of {task}", where=str(path), fix="dust repro")
    stored = ROOT / "store" / "files" / "md5" / digest[:2] / digest[2:]
    if not stored.is_file():
        raise DustError("a result is not in the store", where=str(path), fix="dvc push")
    return parse_result_file(stored.read_bytes(), path)


def _named_table(name: str) -> str:
    if name not in TABLES:
        raise DustError(
            f"there is no table {name}",
            where="the marks of a document",
            fix=f"name one of {', '.join(TABLES)}",
        )
    return TABLES[name]()


def main_line() -> str:
    """Teacher and student by precision, as KQ-3 measured them in turn."""
    results = result("KQ-3", "kq_eval.json").results
    columns = sorted(results, key=lambda own: -field(own, "t_pair_p50_ms"))
    header = ["", *(_named(own) for own in columns)]
    return table(
        header,
        ["a pair, median", *(f"{field(own, 't_pair_p50_ms'):.1f} ms" for own in columns)],
        ["the graph that runs", *(f"{field(own, 'size_MB'):.1f} MB" for own in columns)],
        ["delta1, absrel", *(_two(own, "delta1", "absrel", 3) for own in columns)],
        ["rmse, chamfer", *(_two(own, "rmse", "chamfer", 2, " m") for own in columns)],
    )


def main_line_verdicts() -> str:
    """The lines of P3's last task, and that of the choice."""
    quality, halved, fastest = result("KQ-3", "kq_eval.json").verdicts
    (choice,) = result("KQ-1", "KQ-1_log.json").verdicts
    others = fastest.beside[0].against
    asked = {
        f"delta1 of the INT8 student at most {quality.line:g} % below the teacher's": quality,
        f"its median latency at least {halved.line:g} % below the FP32 student's": halved,
        f"and at least {fastest.line:g} % below the student's in its fastest float precision, "
        f"{others} here": fastest,
        "the student that validation chose is the best of three on the workload": choice,
    }
    rows = ([what, _found(verdict), str(verdict.status)] for what, verdict in asked.items())
    return table(["line", "value and interval", "verdict"], *rows)


def students() -> str:
    """Teacher and students: validation, and the workload as K-4 measured it."""
    file = result("K-4", "distill_log.json")
    of = {str(own.exp_id): own for own in file.results}
    teacher = next(own for own in file.results if own.provenance.role == "baseline")
    standings: Any = file.extra["validation"]
    rows = [["the teacher", "", "", *_on_the_workload(teacher, teacher)]]
    for task, standing in standings.items():
        own = of[standing["exp_id"]]
        title = f"{task}, kept" if task == file.extra["kept"] else task
        judged = f"{standing['loss']:.3f}", f"{standing['delta1']:.3f}"
        rows.append([title, *judged, *_on_the_workload(own, teacher)])
    header = ["task", "validation loss", "delta1 there", "delta1 on the workload", "drop", "absrel"]
    return table(header, *rows)


def pruned() -> str:
    """Teacher and pruned networks, as P-3 measured them."""
    file = result("P-3", "prune_eval.json")
    teacher = next(own for own in file.results if own.provenance.role == "baseline")
    networks = [own for own in file.results if own.provenance.role != "baseline"]
    tasks = ("P-1", "P-2")
    logs: list[Any] = [
        result(task, f"{own.exp_id}_log.json").extra["validation"]
        for task, own in zip(tasks, networks, strict=True)
    ]
    smaller = next(v for v in file.verdicts if v.metric == "size_or_params_down")
    everyone = (teacher, *networks)

    def lost(step: str) -> list[str]:
        pairs = ((log[step]["delta1"], log["teacher"]["delta1"]) for log in logs)
        return [_percent(drop_percent("delta1", own, whole)) for own, whole in pairs]

    times = [field(own, "t_pair_p50_ms") for own in everyone]
    faster = [f" ({_percent(100 * (time / times[0] - 1))})" if index else "" for index, time in
              enumerate(times)]  # fmt: skip
    return table(
        ["", "teacher", *(f"{task}, rho {field(own, 'rho')}" for task, own in
                          zip(tasks, networks, strict=True))],
        ["parameters", *(f"{field(own, 'params_M'):.2f} M" for own in everyone)],
        ["size", *(f"{field(own, 'size_MB'):.1f} MB" for own in everyone)],
        ["size or parameters saved", "", "", _percent(measured(smaller))],
        ["validation at 256 pixels: drop of delta1 after the cut", "", *lost("cut")],
        ["the same after fine-tuning", "", *lost("fine_tuned")],
        ["workload: delta1", *(f"{field(own, 'delta1'):.3f}" for own in everyone)],
        ["workload: drop of delta1", "", *(_drop(own, teacher) for own in networks)],
        ["median latency of a pair",
         *(f"{time:.1f} ms{change}" for time, change in zip(times, faster, strict=True))],
    )  # fmt: skip


def quantized() -> str:
    """What eight bits cost and gain, in P2 and in P3."""
    files = [result("Q-4", "quant_eval.json"), result("KQ-3", "kq_eval.json")]
    verdicts = [file.verdicts for file in files]
    others = verdicts[0][2].beside[0].against
    beside = ("absrel", "rmse", "chamfer")
    lost = [
        ", ".join(
            f"{next(b.change for b in quality.beside if b.metric == name):.1f}" for name in beside
        )
        for quality, *_ in verdicts
    ]
    halved = [v[1].beside[0] for v in verdicts]
    fastest = [v[2].beside[0] for v in verdicts]
    return table(
        ["", "Q-4: the teacher, PTQ alone", "KQ-3: the student, trained with quantizers"],
        ["delta1 lost", _value(verdicts[0][0], 2), _value(verdicts[1][0], 1)],
        [f"{', '.join(beside)} lost", *(f"{cell} %" for cell in lost)],
        ["p50, FP32", *(f"{effect.baseline:.1f} ms" for effect in halved)],
        [f"p50, {others}", *(f"{effect.baseline:.1f} ms" for effect in fastest)],
        ["p50, INT8", *(f"{effect.candidate:.1f} ms" for effect in halved)],
        ["INT8 below FP32", *(_value(v[1], 1) for v in verdicts)],
        [f"INT8 below the fastest float, {others}", *(_value(v[2], 1) for v in verdicts)],
    )  # fmt: skip


TABLES: dict[str, Callable[[], str]] = {
    "main-line": main_line,
    "main-line-verdicts": main_line_verdicts,
    "students": students,
    "pruned": pruned,
    "quantized": quantized,
}


def table(header: Row, *rows: Row) -> str:
    """A Markdown table whose first column is text, as is every column without a digit."""
    body = [list(row) for row in rows]
    right = [all(any(map(str.isdigit, cell)) or not cell for cell in column) for column in
             zip(*body, strict=True)]  # fmt: skip
    rules = ["--:" if number and index else "---" for index, number in enumerate(right)]
    lines = (list(header), rules, *body)
    return "\n".join("|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in lines)


def field(own: Result, name: str) -> float:
    """A number of a record.

    Raises:
        DustError: it was not measured.
    """
    value = getattr(own.record, name)
    if value is None:
        raise _unmeasured(f"{name} of {own.exp_id}")
    return float(value)


def measured(verdict: Verdict) -> float:
    """The value of a verdict.

    Raises:
        DustError: it could not be computed.
    """
    if verdict.value is None:
        raise _unmeasured(f"{verdict.metric} of {verdict.task}")
    return verdict.value


def _unmeasured(what: str) -> DustError:
    return DustError(
        f"{what} was not measured", where="a table of results", fix="run its task again"
    )


def _named(own: Result) -> str:
    runtime = own.provenance.runtime
    assert runtime is not None
    who = "teacher" if "teacher_fp32.pth" in own.provenance.artifacts else "student"
    products, _, floats = runtime.precision.partition("+")
    precision = products if products == "bf16" else products.upper()
    return f"{who}, {precision}{f', its floats in {floats}' if floats else ''}"


def _two(own: Result, first: str, second: str, digits: int, unit: str = "") -> str:
    return ", ".join(f"{field(own, name):.{digits}f}{unit}" for name in (first, second))


def _on_the_workload(own: Result, teacher: Result) -> list[str]:
    drop = "" if own is teacher else _drop(own, teacher)
    return [f"{field(own, 'delta1'):.3f}", drop, f"{field(own, 'absrel'):.3f}"]


def _drop(own: Result, teacher: Result) -> str:
    return _percent(drop_percent("delta1", field(own, "delta1"), field(teacher, "delta1")))


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _value(verdict: Verdict, digits: int) -> str:
    value, interval = measured(verdict), verdict.interval
    if interval is None:
        return f"{value:.{digits}f} %"
    return f"{value:.{digits}f} % [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _found(verdict: Verdict) -> str:
    """A value in words, with its interval: `3.6 % above, [2.7, 4.5] at 50 %`."""
    value, interval = measured(verdict), verdict.interval
    if interval is None:
        return f"{verdict.unit} {value:g}"
    side = "below" if value >= 0 else "above"
    ends = sorted((abs(interval.low), abs(interval.high)) if interval.low * interval.high > 0
                  else (interval.low, interval.high))  # fmt: skip
    low, high = (f"{end:.1f}" for end in ends)
    return f"{abs(value):.1f} % {side}, [{low}, {high}] at {100 * interval.confidence:.0f} %"


if __name__ == "__main__":
    try:
        main()
    except DustError as error:
        sys.exit(str(error))
