"""One measurement of one or more networks, as the workload's protocol has it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dust_core.declared.records import Latency, Measurement, Runtime
from dust_core.declared.records.provenance import Precision as Computed
from dust_core.declared.specs import ResolvedTask
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga, parameters_millions
from dust_eval.measure.engines import compiled
from dust_eval.measure.exported import encoding_once, exported
from dust_eval.measure.latency import Timing, measure_latency
from dust_eval.measure.resources import peak_memory_gb, size_mb
from dust_eval.measure.samples import scene_images, workload_samples
from dust_eval.quality import QualityReport, measure_quality
from dust_eval.runtimes import PairModel, RuntimeOptions, load_model

if TYPE_CHECKING:
    from dust_eval.scene import SceneTime


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network to measure.

    Attributes:
        path: a checkpoint (.pth), a graph (.onnx) or an engine (.trt); a checkpoint is exported
            for a runtime that reads graphs.
        computed: what it computes in, such as `int8+bf16`; what stands last is the precision that
            the runtime is given for float operations.
        network: the float network behind it, for its parameters and operations; read from `path`
            if that is a checkpoint and this is None.
        notes: one line for the record's reader.
        scene: whether whole scenes are timed, too.
    """

    path: Path
    computed: Computed
    network: Dust3r | None = None
    notes: str | None = None
    scene: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `evaluate` found of one subject: what a record takes, and the runtime it ran on."""

    measured: Measurement
    runtime: Runtime


@dataclass
class _Loaded:
    """A subject ready to run, and what is already known of it."""

    subject: Subject
    model: PairModel
    file: Path
    quality: QualityReport | None = None
    samples_ms: tuple[float, ...] = ()
    scene: "SceneTime | None" = None
    no_scene: str = "no scene was asked for"


def evaluate(
    task: ResolvedTask,
    subjects: Mapping[str, Subject],
    *,
    baseline: tuple[str, str] | None = None,
) -> dict[str, Evaluation]:
    """Measure networks by the workload's whole protocol, in one process and on one runtime.

    Quality is what the file itself computes on the profile's share of the workload, in the
    precision that is claimed. Latency is taken of all subjects in turn.

    Args:
        task: the task that asks; its profile names runtime, threads and device.
        subjects: what is measured, by any names.
        baseline: (task whose network it is, its name among `subjects`): what latencies are set
            against; None sets them against nothing.

    Returns:
        A measurement for every name of `subjects`.

    Raises:
        DustError: data or a file is missing or damaged, a runtime is not installed, or a
            prediction cannot be scored.
    """
    samples = list(workload_samples(task))
    timing = Timing(task.workload.timing.warmup, task.workload.timing.repeats)
    loaded = {name: _load(task, subject) for name, subject in subjects.items()}
    with _progress() as progress:
        for name, one in loaded.items():
            bar = progress.add_task(f"quality of {name}", total=len(samples))
            one.quality = measure_quality(
                one.model,
                samples,
                chamfer_points=task.workload.quality.chamfer_points,
                seed=task.workload.seed,
                on_pair=lambda _, bar=bar: progress.advance(bar),  # type: ignore[misc]
            )
        bar = progress.add_task("latency, in turn", total=timing.repeats)
        taken = measure_latency(
            [one.model for one in loaded.values()],
            samples[0].images,
            timing,
            on_turn=lambda: progress.advance(bar),
        )
        for one, own in zip(loaded.values(), taken, strict=True):
            one.samples_ms = own
        for name, one in loaded.items():
            if one.subject.scene:
                bar = progress.add_task(f"scene by {name}", total=None)
                _time_scene(task, one)
                progress.update(bar, total=1, completed=1)
    return {
        name: Evaluation(
            measured=_measured(task, one, loaded, baseline), runtime=_runtime(task, one)
        )
        for name, one in loaded.items()
    }


def _time_scene(task: ResolvedTask, loaded: _Loaded) -> None:
    from dust_eval.scene import CannotAlign, time_scene

    protocol, file = task.workload.scene, loaded.subject.path
    model = encoding_once(task, file, loaded.model) if protocol.encode_once else loaded.model
    if model is None:
        loaded.no_scene = (
            f"the workload has each image encoded once, and {file.name} encodes whole pairs"
        )
        return
    try:
        loaded.scene = time_scene(model, scene_images(task), protocol, task.workload.pair_graph)
    except CannotAlign as error:  # a network may be too poor to align: a finding, not a failure
        loaded.no_scene = f"the scene could not be aligned: {error.what}"


def _load(task: ResolvedTask, subject: Subject) -> _Loaded:
    runtime, device = task.profile.runtime.name, task.profile.device.kind
    options = RuntimeOptions(
        precision=subject.computed.split("+")[-1],  # type: ignore[arg-type]
        threads=task.profile.threads,
        device=device,
        tf32=task.workload.timing.tf32,
    )
    file = subject.path
    if file.suffix == ".pth":
        if subject.network is None:
            subject = replace(subject, network=load_checkpoint(file).network)
        if runtime != "torch":
            file = exported(task, file)
    if runtime == "tensorrt" and file.suffix == ".onnx":
        file = compiled(task, file, options.precision)
    return _Loaded(subject, load_model(runtime, file, options), file)


def _runtime(task: ResolvedTask, one: _Loaded) -> Runtime:
    cuda = task.profile.device.kind == "cuda"
    return Runtime(
        name=task.profile.runtime.name,
        versions={one.model.runtime: one.model.version},
        precision=one.subject.computed,
        threads=task.profile.threads,
        tf32=task.workload.timing.tf32 if cuda else None,
    )


def _measured(
    task: ResolvedTask,
    one: _Loaded,
    loaded: Mapping[str, _Loaded],
    baseline: tuple[str, str] | None,
) -> Measurement:
    device = task.profile.device.kind
    network, reasons = one.subject.network, {"gpu_hours": "measuring trains nothing"}
    height, width = task.workload.images.height, task.workload.images.width
    if network is None:
        reasons |= dict.fromkeys(("params_M", "flops_G"), "no float network stands behind it")
    if one.scene is None:
        reasons["t_scene_s"] = one.no_scene
    against = None if baseline is None or loaded[baseline[1]] is one else baseline
    notes = [one.subject.notes] if one.subject.notes else []
    notes += one.scene.remarks() if one.scene else []
    if device == "cpu":
        notes.append("vram_GB is the peak of the process, in which all were measured in turn")
    return Measurement(
        params_M=None if network is None else parameters_millions(network),
        flops_G=None if network is None else flops_giga(network, height, width),
        size_MB=size_mb(one.file),
        vram_GB=peak_memory_gb(device),
        t_scene_s=one.scene.seconds if one.scene else None,
        pairs_per_sec=1000 / float(np.percentile(one.samples_ms, 50)),
        per_pair={} if one.quality is None else one.quality.per_pair,
        latency=Latency(
            candidate_ms=one.samples_ms,
            baseline=against[0] if against else None,
            baseline_ms=loaded[against[1]].samples_ms if against else None,
        ),
        quantities=one.scene.counts() if one.scene else {},
        notes="; ".join(notes) or None,
        reasons=reasons,
    )


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns) as progress:
        yield progress
