"""The precision of float operations, measured where the profile leaves it to the device.

16 bits are not faster everywhere: on a processor with AVX-512 that has neither bf16 nor AMX,
OpenVINO's products in bf16 take longer than in FP32. Which is faster depends on the device, the
runtime and the network, so the answer is kept for these and taken once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import percentile
from dust_core.declared.records.environment import described_device, installed_versions
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.names import FileName, file_name
from dust_core.files import atomic_write_text, sha256_file
from dust_eval.measure.exported import options_for, runnable
from dust_eval.measure.latency import measure_latency
from dust_eval.measure.samples import workload_samples
from dust_eval.runtimes import PairModel, Precision, load_model

_NARROW: Mapping[tuple[str, str], Precision] = {
    ("openvino", "cpu"): "bf16",
    ("torch", "cpu"): "bf16",
    ("torch", "cuda"): "fp16",
}
"""The 16-bit type of a runtime that chooses it when it loads a network, by kind of device."""


@dataclass(frozen=True)
class Floats:
    """How the float operations of a profile run on this device.

    Attributes:
        precision: of what stays in float in a quantized network.
        reduced: what a float network is measured in beside FP32.
        p50_ms: median latency of the teacher by precision; empty where the profile decides.
    """

    precision: Precision
    reduced: Precision
    p50_ms: Mapping[Precision, float] = field(default_factory=dict)


def floats_of(task: ResolvedTask) -> Floats:
    """The float precisions of a task: as its profile says, or the faster on this device.

    With `auto` the teacher is timed in FP32 and in the runtime's 16-bit type, in turn. The answer
    is kept below the profile's artifacts for the device, the runtime's version and the teacher's
    bytes.

    Raises:
        DustError: the teacher is not there, or the runtime cannot load it.
    """
    declared = task.profile.runtime.float_precision
    if declared != "auto":
        return Floats(declared, declared)
    runtime = task.profile.runtime.name
    narrow = _NARROW.get((runtime, task.profile.device.kind))
    if narrow is None:
        only: Precision = "fp16" if runtime == "tensorrt" else "fp32"  # as engines are built
        return Floats(only, only)
    path = _answer(task)
    taken = _kept(path, narrow)
    if taken is None:
        taken = _timed(task, narrow)
        atomic_write_text(path, json.dumps(taken))
    return Floats(min(taken, key=taken.__getitem__), narrow, taken)


def _timed(task: ResolvedTask, narrow: Precision) -> dict[Precision, float]:
    """The median latency in FP32 and in 16 bits, in turn; in FP32 alone where they are the same."""
    models: dict[Precision, PairModel] = {}
    for precision in ("fp32", narrow):
        options = options_for(task, precision)
        file = runnable(task, _teacher(task), options)
        model = load_model(task.profile.runtime.name, file, options)
        models[model.precision] = model  # a processor without 16 bits computes in FP32
    images = next(iter(workload_samples(task))).images
    turns = measure_latency(list(models.values()), images, task.workload.timing)
    return {
        precision: percentile(samples.ms, 50)
        for precision, samples in zip(models, turns, strict=True)
    }


def _teacher(task: ResolvedTask) -> Path:
    return ARTIFACTS / task.profile_name / file_name(FileName(role="teacher"))


def _answer(task: ResolvedTask) -> Path:
    """Where the answer is kept: its name follows from all that decides it."""
    runtime = task.profile.runtime.name
    decided = {
        "device": described_device(task.profile.device.kind).fingerprint,
        "runtime": (runtime, installed_versions((runtime,))),
        "threads": task.profile.threads,
        "teacher": sha256_file(_teacher(task)),
        "images": task.workload.images.model_dump(mode="json"),
    }
    digest = hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()
    return ARTIFACTS / task.profile_name / ".work" / "floats" / f"{digest[:16]}.json"


def _kept(path: Path, narrow: Precision) -> dict[Precision, float] | None:
    """An earlier answer; None for none, or for a damaged one."""
    try:
        kept = json.loads(path.read_text())
        whole = {"fp32"} <= kept.keys() <= {"fp32", narrow}
        whole = whole and all(ms > 0 for ms in kept.values())
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return kept if whole else None
