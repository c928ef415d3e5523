"""The figures of a measured subject, for a record."""

from collections.abc import Mapping

from dust_core.declared.records import (
    QUALITY_METRICS,
    Latency,
    Measurement,
    Runtime,
    percentile,
)
from dust_core.declared.specs import ResolvedTask
from dust_core.network.model.cost import flops_giga, parameters_millions
from dust_eval.measure.floats import floats_of
from dust_eval.measure.memory import process_peak_gb
from dust_eval.measure.resources import non_finite_weights, size_mb
from dust_eval.measure.subject import Loaded


def runtime_of(task: ResolvedTask, loaded: Loaded) -> Runtime:
    """What a subject ran on."""
    cuda = task.profile.device.kind == "cuda"
    return Runtime(
        name=task.profile.runtime.name,
        versions={loaded.model.runtime: loaded.model.version},
        precision=loaded.computed,
        threads=task.profile.threads,
        tf32=task.workload.timing.tf32 if cuda else None,
    )


def measured_figures(
    task: ResolvedTask,
    subject: Loaded,
    loaded: Mapping[str, Loaded],
    baseline: tuple[str, str] | None,
) -> Measurement:
    """Everything that was measured of one subject.

    Args:
        loaded: all subjects that were measured together, by name.
        baseline: as `evaluate` takes it.
    """
    network, quality = subject.subject.network, subject.quality
    height, width = task.workload.images.height, task.workload.images.width
    against = None if baseline is None or loaded[baseline[1]] is subject else baseline
    median = percentile(subject.samples_ms, task.workload.timing.percentiles[0])
    return Measurement(
        params_M=None if network is None else parameters_millions(network),
        flops_G=None if network is None else flops_giga(network, height, width),
        size_MB=size_mb(subject.file),
        vram_GB=process_peak_gb() if subject.device_peak_gb is None else subject.device_peak_gb,
        t_scene_s=subject.scene.seconds if subject.scene else None,
        pairs_per_sec=1000 / median,
        per_pair=quality.per_pair,
        latency=Latency(
            candidate_ms=subject.samples_ms,
            baseline=against[0] if against else None,
            baseline_ms=loaded[against[1]].samples_ms if against else None,
        ),
        quantities={
            "nan_count": quality.non_finite + non_finite_weights(subject.subject.path),
            "unsettled_warmups": int(not subject.settled),
            **{f"auto_{floats}_ms": ms for floats, ms in floats_of(task).p50_ms.items()},
            **(subject.scene.counts() if subject.scene else {}),
        },
        notes=_notes(task, subject),
        reasons=_reasons(subject),
    )


def _reasons(loaded: Loaded) -> dict[str, str]:
    """Why fields of the record are null."""
    reasons = {"gpu_hours": "measuring trains nothing"}
    if loaded.subject.network is None:
        reasons |= dict.fromkeys(("params_M", "flops_G"), "it has no float network")
    if loaded.quality.unscored:
        reasons |= dict.fromkeys(QUALITY_METRICS, loaded.quality.why_unscored)
    if loaded.scene is None:
        reasons["t_scene_s"] = loaded.no_scene
    return reasons


def _notes(task: ResolvedTask, loaded: Loaded) -> str | None:
    notes = [loaded.subject.notes] if loaded.subject.notes else []
    notes += loaded.scene.remarks() if loaded.scene else []
    if loaded.model.precision != loaded.subject.floats:
        notes.append(
            f"float operations ran in {loaded.model.precision}, "
            f"because this machine has no {loaded.subject.floats}"
        )
    if not loaded.settled:
        notes.append("its latency never became steady before the turns")
    if task.profile.device.kind == "cpu":
        notes.append("vram_GB is the peak of the process, in which all were measured in turn")
    return "; ".join(notes) or None
