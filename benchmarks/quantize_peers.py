"""Our INT8 graph, compared with those of ONNX Runtime's and NNCF's quantizers for one network.

    pip install nncf==3.4.0     # for this script alone; requirements.lock has the rest
    python benchmarks/quantize_peers.py [--checkpoint artifacts/small/student_fp32_best.pth]

All quantize without training and calibrate on the same images. The workload's protocol scores
them, and OpenVINO times them in turn with the same settings. The peers have the settings that their
documentation recommends for transformers. Each quantizes the network twice: in full, and with
its ends (the patch embedding and the heads) in float, which costs size and time.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import torch
from rich.console import Console  # noqa: TID251
from rich.table import Table

from dust_compress.quantize.bias import correct_biases
from dust_compress.quantize.calibrate import calibration_run
from dust_compress.quantize.export import export_int8
from dust_compress.quantize.network import quantize
from dust_compress.quantize.origin import Origin
from dust_core.declared.records.record import QUALITY_METRICS
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.quant import PtqTask
from dust_core.declared.specs.names import STANDARD_KEEP, QuantName, exp_id
from dust_core.declared.specs.names.vocabulary import KeepFamily
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.onnx.export import INPUTS, export_onnx
from dust_eval.gates.effects import drop_percent
from dust_eval.measure.latency import measure_latency
from dust_eval.measure.samples import set_samples, workload_samples
from dust_eval.quality import measure_quality
from dust_eval.runtimes import Precision, RuntimeOptions
from dust_eval.runtimes.openvino_runtime import load

ROOT = Path(__file__).parents[1]
ENDS = ("patch_embed", "downstream_head")  # by the names of nodes and layers
ENDS_KEPT = (*STANDARD_KEEP, "patch_embed", "head_last")  # by the names in a keep-list

Inputs = dict[str, np.ndarray[Any, Any]]
Calibration = Callable[[], Iterator[Inputs]]


@dataclass(frozen=True)
class Graph:
    """A file to measure, the precision of its float operations, and how long it took to make."""

    file: Path
    floats: Precision
    seconds: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("artifacts/small/student_fp32_best.pth")
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, help="calibration images; default: as Q-1 has it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console(width=110)
    try:
        task = resolve(load_specs(ROOT / "specs"), "Q-1", "small")
        assert isinstance(task.task, PtqTask)
        images = arguments.images or task.task.calibration_images
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graphs = make_all(task, arguments.checkpoint, images, Path(folder), console)
            console.print(measured(task, graphs, arguments.threads))
    except DustError as error:
        raise SystemExit(str(error)) from error


def make_all(
    task: ResolvedTask, checkpoint: Path, images: int, folder: Path, console: Console
) -> dict[str, Graph]:
    """Every graph to measure, the float one first."""
    plain = folder / "float.onnx"
    export_onnx(load_checkpoint(checkpoint).network, plain)

    def calibration() -> Iterator[Inputs]:
        manifest = Path(task.data.calibration.manifest)
        for sample in set_samples(manifest.parent, images // 2):
            yield dict(zip(INPUTS, sample.images, strict=True))

    makers: dict[str, Callable[[Path], Path]] = {
        "DUST": lambda path: by_dust(task, checkpoint, images, path, STANDARD_KEEP),
        "DUST, ends in float": lambda path: by_dust(task, checkpoint, images, path, ENDS_KEPT),
        "ONNX Runtime": lambda path: by_onnxruntime(plain, path, calibration, kept=()),
        "ONNX Runtime, ends in float": lambda path: by_onnxruntime(
            plain, path, calibration, kept=ENDS
        ),
        "NNCF": lambda path: by_nncf(plain, path, calibration, images // 2, kept=()),
        "NNCF, ends in float": lambda path: by_nncf(
            plain, path, calibration, images // 2, kept=ENDS
        ),
    }
    graphs = {"FP32": Graph(plain, "fp32"), "bf16": Graph(plain, "bf16")}
    for number, (name, make) in enumerate(makers.items()):
        start = time.perf_counter()
        file = make(folder / f"{number}.onnx")
        graphs[name] = Graph(file, "bf16", time.perf_counter() - start)
        console.print(f"{name}: quantized in {graphs[name].seconds:.0f} s", highlight=False)
    return graphs


def by_dust(
    task: ResolvedTask, checkpoint: Path, images: int, path: Path, kept: tuple[KeepFamily, ...]
) -> Path:
    network = load_checkpoint(checkpoint).network
    policy = task.common.model_copy(update={"keep_list": kept})
    run = calibration_run(task, images)
    quantize(network, policy, run)
    if policy.bias_correction:
        correct_biases(network, run)
    name = QuantName(mode="PTQ", keep_list=kept, bias_correction=policy.bias_correction)
    export_int8(network, path, Origin(exp_id(name)))
    return path


def by_onnxruntime(
    plain: Path, path: Path, calibration: Calibration, kept: tuple[str, ...]
) -> Path:
    """Symmetric INT8 per channel of convolutions and products with weights, ranges by max.

    Its percentile and entropy calibrators keep every activation of every image in memory: some
    hundred GB for 512 images.
    """
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.inputs = calibration()

        def get_next(self) -> Inputs | None:
            return next(self.inputs, None)

    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    names = [node.name for node in onnx.load(prepared).graph.node]
    quantize_static(
        prepared,
        path,
        Reader(),
        op_types_to_quantize=["MatMul", "Gemm", "Conv"],
        per_channel=True,
        nodes_to_exclude=[name for name in names if any(word in name for word in kept)],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "MatMulConstBOnly": True,
        },
    )
    return path


def by_nncf(
    plain: Path, path: Path, calibration: Calibration, pairs: int, kept: tuple[str, ...]
) -> Path:
    """NNCF's post-training quantization for transformers, on OpenVINO's own form of the graph."""
    import nncf

    ignored = nncf.IgnoredScope(patterns=[f".*{word}.*" for word in kept], validate=False)
    quantized = nncf.quantize(
        openvino.Core().read_model(plain),
        nncf.Dataset(list(calibration())),
        subset_size=pairs,
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=ignored if kept else None,
    )
    written = path.with_suffix(".xml")
    openvino.save_model(quantized, written)
    return written


def measured(task: ResolvedTask, graphs: dict[str, Graph], threads: int) -> Table:
    """Quality on the workload and latency in turn, a row for each graph."""
    models = [
        load(graph.file, RuntimeOptions(precision=graph.floats, threads=threads))
        for graph in graphs.values()
    ]
    samples = list(workload_samples(task))
    points, seed = task.workload.quality.chamfer_points, task.workload.seed
    quality = [
        {
            metric: float(np.mean(values))
            for metric, values in measure_quality(
                model, samples, chamfer_points=points, seed=seed
            ).per_pair.items()
        }
        for model in models
    ]
    timing = task.workload.timing
    medians = [
        float(np.percentile(turns.ms, 50))
        for turns in measure_latency(models, samples[0].images, timing)
    ]
    float_size = size_mb(graphs["FP32"].file)
    table = Table(title=f"OpenVINO, {threads} threads, {len(samples)} pairs; drops in % of FP32")
    for column in ("", "p50", "of FP32", *QUALITY_METRICS, "size", "of FP32", "made in"):
        table.add_column(column, justify="right" if column else "left")
    for (name, graph), own, p50 in zip(graphs.items(), quality, medians, strict=True):
        drops = [
            drop_percent(metric, own[metric], quality[0][metric]) for metric in QUALITY_METRICS
        ]
        size = size_mb(graph.file)
        table.add_row(
            *(
                name,
                f"{p50:.1f} ms",
                f"{p50 / medians[0]:.0%}",
                *(f"{drop:+.2f}" for drop in drops),
            ),
            *(f"{size:.1f} MB", f"{size / float_size:.0%}"),
            "" if graph.seconds is None else f"{graph.seconds:.0f} s",
        )
    return table


def size_mb(file: Path) -> float:
    """Size of a graph, with the weight file that OpenVINO keeps beside it."""
    parts = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return sum(part.stat().st_size for part in parts) / 1e6


if __name__ == "__main__":
    main()
