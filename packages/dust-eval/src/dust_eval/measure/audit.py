"""Measuring a recorded quality again, and comparing both pair by pair."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dust_core.declared.records import QUALITY_METRICS, MeasuredDevice, Result
from dust_core.declared.records.environment import EIGHT_BIT_SETS, processor_flags
from dust_core.declared.records.provenance import Precision, Provenance
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.measure.evaluate import Subject, load_and_score, progress_bars
from dust_eval.measure.samples import workload_samples
from dust_eval.measure.subject import Loaded
from dust_eval.runtimes.registry import RUNTIMES

Verdict = Literal["reproduced", "differs", "not measured"]


@dataclass(frozen=True)
class Limit:
    """The largest difference of a pair, and that of the mean over all pairs."""

    pair: float
    mean: float


@dataclass(frozen=True)
class Bound:
    """How far two measurements of one file may differ on different machines.

    Attributes:
        delta1: of the primary metric, as it is.
        others: of absrel, rmse and chamfer, relative to the record.
        reason: where the difference comes from.
    """

    delta1: Limit
    others: Limit
    reason: str

    def of(self, metric: str) -> Limit:
        """The limit of a metric."""
        return self.delta1 if metric == "delta1" else self.others


_HALF = (Limit(0.015, 0.0015), Limit(0.03, 0.015))
_EIGHT = (Limit(0.04, 0.003), Limit(0.05, 0.0075))

BOUNDS: Mapping[Precision, Bound] = {
    "fp32": Bound(Limit(5e-5, 1e-5), Limit(5e-5, 1e-5), "sums are taken in another order"),
    "bf16": Bound(*_HALF, "8 bits of mantissa; FP32 on a machine without bf16"),
    "fp16": Bound(*_HALF, "11 bits of mantissa; FP32 on a machine without fp16"),
    "int8+fp32": Bound(*_EIGHT, "other 8-bit kernels, or 8-bit products in float"),
    "int8+bf16": Bound(*_EIGHT, "other 8-bit kernels, or 8-bit products in float; no bf16"),
    "int8+fp16": Bound(*_EIGHT, "other 8-bit kernels, or 8-bit products in float; no fp16"),
}
"""About three times the largest difference that was seen between a processor with AVX-512 VNNI
and bf16, and a processor with AVX2 alone (docs/audit.md); ten times in FP32."""

_ZERO = Limit(0.0, 0.0)
_EXACT = Bound(_ZERO, _ZERO, "the same device, runtime and measuring code: every digit agrees")


@dataclass(frozen=True)
class Difference:
    """How far a measured metric is from the recorded one, as `Bound` has it."""

    recorded: float
    measured: float
    pair: float
    mean: float

    def within(self, limit: Limit) -> bool:
        """Whether every pair and the mean are within the limit."""
        return self.pair <= limit.pair and self.mean <= limit.mean


@dataclass(frozen=True)
class Audit:
    """One recorded result, measured again.

    Attributes:
        verdict: whether the measurement agrees with the record.
        differences: by metric; empty where nothing was measured.
        per_pair: what was measured, as `Provenance` has it.
        bound: what was allowed; None where nothing was measured.
        remark: how it was measured, or why not.
    """

    result: Result
    verdict: Verdict
    differences: Mapping[str, Difference]
    per_pair: Mapping[str, tuple[float, ...]]
    bound: Bound | None
    remark: str


class Auditor:
    """Measures each file and precision once, however many results are of it.

    Args:
        device: the machine at hand; None if nothing will be measured.
        code: the digest of the code that measures here; None where it is not known.
        writers: the command that writes each artifact, by its name.
    """

    def __init__(
        self,
        device: MeasuredDevice | None,
        code: str | None = None,
        writers: Mapping[str, str] | None = None,
    ) -> None:
        self.device = device
        self.code = code
        self.writers = writers or {}
        self._measured: dict[tuple[str, str, str, str], Loaded | DustError] = {}

    def audit(self, task: ResolvedTask, result: Result, folder: Path) -> Audit:
        """Measure a result's file again; `folder` holds the artifacts that it names."""
        provenance = result.provenance
        assert provenance.runtime is not None
        try:
            path = measured_file(provenance, folder, self.writers)
            loaded = self._loaded(task, path, provenance.runtime.precision)
        except DustError as error:
            where = f"{error.where}: " if error.where else ""
            return Audit(result, "not measured", {}, {}, None, f"{where}{error.what}")
        if loaded.quality.unscored:
            return Audit(result, "differs", {}, {}, None, loaded.quality.why_unscored)
        differences = dict(_differences(provenance.per_pair, loaded.quality.per_pair))
        bound = self._bound(provenance, loaded)
        agrees = len(differences) == len(provenance.per_pair) and all(
            difference.within(bound.of(metric)) for metric, difference in differences.items()
        )
        remark = _remark(provenance, loaded, bound)
        if not differences:
            pairs = {len(values) for values in provenance.per_pair.values()}
            counts = " or ".join(map(str, sorted(pairs)))
            remark = f"{len(loaded.quality.pairs)} pairs were measured, and the record has {counts}"
        verdict: Verdict = "reproduced" if agrees else "differs"
        return Audit(result, verdict, differences, loaded.quality.per_pair, bound, remark)

    def _loaded(self, task: ResolvedTask, path: Path, precision: Precision) -> Loaded:
        key = (sha256_file(path), precision, task.profile_digest, task.workload_digest)
        if key not in self._measured:
            try:
                self._measured[key] = _score(task, path, precision)
            except DustError as error:
                self._measured[key] = error
        loaded = self._measured[key]
        if isinstance(loaded, DustError):
            raise loaded
        return loaded

    def _bound(self, provenance: Provenance, loaded: Loaded) -> Bound:
        recorded = provenance.runtime
        assert recorded is not None
        model = loaded.model
        alike = (
            self.device is not None
            and provenance.device.fingerprint == self.device.fingerprint
            and recorded.name == model.runtime
            and recorded.versions.get(model.runtime) == model.version
            and recorded.precision == loaded.computed
            and recorded.threads == model.options.threads
            and provenance.measuring_code is not None
            and provenance.measuring_code == self.code
        )
        return _EXACT if alike else BOUNDS[recorded.precision]


def measured_file(provenance: Provenance, folder: Path, writers: Mapping[str, str]) -> Path:
    """The file that a record's figures are of, with the recorded SHA-256.

    Args:
        writers: the command that writes each artifact, by its name.

    Raises:
        DustError: it is not there, has another SHA-256, or the record does not say which it is.
    """
    assert provenance.runtime is not None
    name = _measured_name(provenance, RUNTIMES[provenance.runtime.name][1])
    path = folder / name
    if not path.is_file():
        again = f", and `{writers[name]}` writes it again" if name in writers else ""
        raise DustError(f"{name} cannot be had: no remote has it{again}", fix="push it: `dvc push`")
    recorded, actual = provenance.artifacts[name], sha256_file(path)
    if actual != recorded:
        raise DustError(
            f"{name} has the SHA-256 {actual[:12]}, and the record measured {recorded[:12]}",
            fix="run the task again",
        )
    return path


def _measured_name(provenance: Provenance, readable: Sequence[str]) -> str:
    for suffixes in (readable, (".pth", ".onnx")):  # a checkpoint is exported for the runtime
        named = {
            digest: name
            for name, digest in provenance.artifacts.items()
            if name.endswith(tuple(suffixes))
        }
        if len(named) == 1:
            return next(iter(named.values()))
        if named:
            raise DustError(
                f"the record does not say which of {', '.join(named.values())} it measured",
                fix="run the task again",
            )
    raise DustError("the record names no network's file", fix="run the task again")


def replaced(audit: Audit) -> Result:
    """The recorded result with the measured quality in place of the recorded one."""
    record = audit.result.record
    if record is None or not audit.per_pair:
        return audit.result
    means = {name: float(np.mean(values)) for name, values in audit.per_pair.items()}
    provenance = audit.result.provenance.model_copy(update={"per_pair": dict(audit.per_pair)})
    return audit.result.model_copy(
        update={"record": record.model_copy(update=means), "provenance": provenance}
    )


def _score(task: ResolvedTask, path: Path, precision: Precision) -> Loaded:
    subject = Subject(path=path, computed=precision)
    in_float = subject.eight_bit and path.suffix == ".onnx" and _saturates(task)
    with progress_bars() as progress:
        return load_and_score(
            task,
            f"{path.name} in {precision}",
            subject,
            list(workload_samples(task)),
            progress,
            int8_in_float=in_float,
        )


def _saturates(task: ResolvedTask) -> bool:
    """Whether 8-bit products overflow on this processor: AVX2 adds pairs of them in 16 bits."""
    flags = processor_flags()
    on_x86 = "sse2" in flags
    return task.profile.device.kind == "cpu" and on_x86 and not flags & EIGHT_BIT_SETS


def _differences(
    recorded: Mapping[str, Sequence[float]], measured: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, Difference]]:
    for metric in QUALITY_METRICS:
        if metric not in recorded or len(recorded[metric]) != len(measured.get(metric, ())):
            continue
        ours, theirs = np.array(measured[metric]), np.array(recorded[metric])
        ours_mean, theirs_mean = float(ours.mean()), float(theirs.mean())
        pair, mean = np.abs(ours - theirs), abs(ours_mean - theirs_mean)
        if metric != "delta1":
            least = np.finfo(np.float64).tiny
            pair, mean = pair / np.maximum(theirs, least), mean / max(theirs_mean, float(least))
        yield metric, Difference(theirs_mean, ours_mean, float(pair.max()), mean)


def _remark(provenance: Provenance, loaded: Loaded, bound: Bound) -> str:
    assert provenance.runtime is not None
    if loaded.model.options.as_written:
        return "8-bit products in float: they would saturate on this processor"
    if loaded.computed != provenance.runtime.precision:
        return f"in {loaded.computed}: this machine has no {loaded.subject.floats}"
    return bound.reason if bound is _EXACT else ""
