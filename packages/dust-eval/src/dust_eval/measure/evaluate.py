"""One measurement of one or more networks by the workload's protocol."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dust_core.console import Terminal
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_eval.measure.exported import encoding_once, options_for, runnable
from dust_eval.measure.figures import measured_figures, runtime_of
from dust_eval.measure.latency import measure_latency
from dust_eval.measure.memory import CudaMemory, SubjectMemory
from dust_eval.measure.samples import scene_images, workload_samples
from dust_eval.measure.subject import Evaluation, Loaded, Subject
from dust_eval.quality import Sample, measure_quality
from dust_eval.runtimes import load_model

__all__ = ["Evaluation", "Subject", "evaluate", "load_and_score", "progress_bars"]


def evaluate(
    task: ResolvedTask,
    subjects: Mapping[str, Subject],
    *,
    baseline: tuple[str, str] | None = None,
) -> dict[str, Evaluation]:
    """Measure networks by the workload's whole protocol, in one process and on one runtime.

    Quality is that of the file itself, on the profile's share of the workload, in the precision
    that is claimed. Latency is measured for all subjects in turn. `nan_count` counts the weights
    and predictions that are not finite.

    Args:
        task: the task that measures; its profile names runtime, threads and device.
        subjects: the networks to measure, by any names.
        baseline: (task whose network it is, its name among `subjects`): the network that
            latencies are compared with; None if there is none.

    Returns:
        A measurement for every name of `subjects`.

    Raises:
        DustError: data or a file is missing or damaged, a runtime is not installed, a prediction
            has another size than the truth, or the baseline computes in another precision than
            the protocol pins it to.
    """
    samples = list(workload_samples(task))
    with progress_bars() as progress:
        loaded = {
            name: load_and_score(task, name, subject, samples, progress)
            for name, subject in subjects.items()
        }
        if baseline is not None:
            _require_pinned(task, loaded[baseline[1]])
        _time_pairs(task, list(loaded.values()), samples[0], progress)
        for name, network in loaded.items():
            if network.quality.unscored:
                network.no_scene = network.quality.why_unscored
            elif network.subject.scene:
                bar = progress.add_task(f"scene by {name}", total=None)
                _time_scene(task, network)
                progress.update(bar, total=1, completed=1)
    return {
        name: Evaluation(
            measured=measured_figures(task, network, loaded, baseline),
            runtime=runtime_of(task, network),
        )
        for name, network in loaded.items()
    }


def load_and_score(
    task: ResolvedTask,
    name: str,
    subject: Subject,
    samples: Sequence[Sample],
    progress: Progress,
    *,
    int8_in_float: bool = False,
) -> Loaded:
    """A subject loaded, its quality, and on a GPU the device memory that both take.

    Args:
        int8_in_float: compute the 8-bit products of a graph in float, each value rounded as the
            graph says. ONNX Runtime does that, whatever the profile's runtime.

    Raises:
        DustError: see `evaluate`.
    """
    bar = progress.add_task(f"quality of {name}", total=len(samples))
    memory = SubjectMemory(CudaMemory()) if task.profile.device.kind == "cuda" else None
    if subject.path.suffix == ".pth" and subject.network is None:
        subject = replace(subject, network=load_checkpoint(subject.path, finite=False).network)
    options = options_for(task, subject.floats)
    if int8_in_float:
        options = replace(options, precision="fp32", as_written=True)
    file = runnable(task, subject.path, options)
    with memory or nullcontext():
        runtime = "onnxruntime" if int8_in_float else task.profile.runtime.name
        model = load_model(runtime, file, options)
        quality = measure_quality(
            model,
            samples,
            chamfer_points=task.workload.quality.chamfer_points,
            seed=task.workload.seed,
            metrics=task.workload.quality.metrics,
            alignment=task.workload.quality.alignment,
            on_pair=lambda _: progress.advance(bar),
        )
    return Loaded(subject, model, file, quality, memory.peak_bytes / 1e9 if memory else None)


def _require_pinned(task: ResolvedTask, baseline: Loaded) -> None:
    pinned, computed = task.workload.timing.baseline_precision, baseline.computed
    if computed != pinned:
        raise DustError(
            f"the baseline computes in {computed}, and the workload pins it to {pinned}",
            where=str(baseline.subject.path),
            fix=f"measure {task.id} beside the baseline in {pinned}",
        )


def _time_pairs(
    task: ResolvedTask, loaded: Sequence[Loaded], sample: Sample, progress: Progress
) -> None:
    timing = task.workload.timing
    bar = progress.add_task("latency, in turn", total=timing.repeats)
    taken = measure_latency(
        [network.model for network in loaded],
        sample.images,
        timing,
        on_turn=lambda: progress.advance(bar),
    )
    for network, turns in zip(loaded, taken, strict=True):
        network.samples_ms, network.settled = turns.ms, turns.settled


def _time_scene(task: ResolvedTask, loaded: Loaded) -> None:
    from dust_eval.scene import CannotAlign, time_scene

    protocol, file = task.workload.scene, loaded.subject.graph or loaded.subject.path
    model = encoding_once(task, file, loaded.model) if protocol.encode_once else loaded.model
    if model is None:
        loaded.no_scene = (
            f"the workload has each image encoded once, and {file.name} is an engine of whole pairs"
        )
        return
    try:
        loaded.scene = time_scene(model, scene_images(task), protocol, task.workload.pair_graph)
    except CannotAlign as error:  # a result: the network is too poor
        loaded.no_scene = f"the scene could not be aligned: {error.what}"


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars for what is measured, on the terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Terminal(stderr=True)) as progress:
        yield progress
