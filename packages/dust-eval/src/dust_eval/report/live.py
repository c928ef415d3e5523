"""Trainings that have not ended, from the metrics that they log."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from dust_eval.report.series import Curve

RUNNING = "unfinished"
"""The name of the chart of trainings that have not ended."""

_METRICS = Path("dvclive", "plots", "metrics")
_SHOWN = ("epoch", "train/total", "val/loss", "val/delta1")


def log_files(folder: Path) -> Iterator[Path]:
    """The files of metrics that trainings of a profile write, by the folder of its artifacts."""
    yield from sorted(folder.glob(f".work/*/{_METRICS}/**/*.tsv"))


def unfinished(folder: Path) -> tuple[Curve, ...]:
    """The trainings in the folder of a profile's artifacts that have begun and have not ended.

    A line that a training is writing just now is passed over.
    """
    homes = sorted(home for home in folder.glob(".work/*") if not (home / "finished.pt").exists())
    curves = ((home, _entries(home / _METRICS)) for home in homes)
    return tuple(Curve(RUNNING, home.name, 0.0, entries) for home, entries in curves if entries)


def _entries(folder: Path) -> tuple[dict[str, float], ...]:
    rows: dict[int, dict[str, float]] = {}
    for name in _SHOWN:
        for step, value in _column(folder / f"{name}.tsv"):
            rows.setdefault(step, {})[name] = value
    return tuple(row for _, row in sorted(rows.items()) if {"epoch", "train/total"} <= row.keys())


def _column(path: Path) -> Iterator[tuple[int, float]]:
    """Step and value of each whole line; nothing where there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError:
        return
    whole = [line for line in lines if line.endswith("\n")]
    for row in csv.reader(whole[1:], delimiter="\t"):
        try:
            step, value = int(row[-2]), float(row[-1])
        except (IndexError, ValueError):
            continue
        if math.isfinite(value):
            yield step, value
