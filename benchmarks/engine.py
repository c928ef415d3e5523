"""Latency and size of INT8 graphs on this machine, and of the engines compiled from them.

    python benchmarks/engine.py [--checkpoint artifacts/small/student_fp32_best.pth] [--threads 1]
    python benchmarks/engine.py --full

Without a checkpoint it uses the `small` network with random weights: neither latency nor size
depends on their values. The first table is measured with OpenVINO, the networks in turn. It has the
median latency of a pair, and its throughput as a share of that of one large matrix product in the
same runtime and precision. The second table is of TensorRT engines, which run on a GPU only.

--full quantizes, exports and compiles the published shape (571M parameters) with random weights,
and reports time and memory. Then it prints the first table for this shape, in five turns. It needs
no GPU, about 16 GB of memory and 8 GB of disk.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import openvino
import torch
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console  # noqa: TID251
from rich.table import Table

from dust_compress.engine.build import build_engine
from dust_compress.engine.worker import PEAK_MEMORY
from dust_compress.quantize.export import export_int8
from dust_compress.quantize.network import quantize
from dust_compress.quantize.origin import Origin
from dust_core.declared.specs import load_specs, resolve
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga
from dust_core.network.model.named import CONFIGS
from dust_core.network.onnx.export import export_onnx
from dust_eval.measure.latency import measure_latency
from dust_eval.measure.memory import process_peak_gb
from dust_eval.runtimes import PairModel, RuntimeOptions, load_model
from dust_eval.runtimes.engine_manifest import EngineFloats

ROOT = Path(__file__).parents[1]
FULL = "DUSt3R_ViTLarge_BaseDecoder_512_dpt"
FULL_TURNS = 5
SIDE = 512
GEMM_SIDE = 2048
GEMM_REPEATS = 30
GIGA = 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.full:
            compile_full(Path(folder), arguments.threads)
        else:
            network = (
                load_checkpoint(arguments.checkpoint).network
                if arguments.checkpoint
                else Dust3r(CONFIGS["small"])
            )
            compare(network.eval(), Path(folder), arguments.threads, arguments.repeats)


def compare(network: Dust3r, folder: Path, threads: int, repeats: int) -> None:
    flops = flops_giga(network, SIDE, SIDE)
    wide, int8 = folder / "float.onnx", folder / "int8.onnx"
    export_onnx(network, wide)
    export_int8(quantized(network, SIDE), int8, Origin("KQ_INT8_run1"))
    latency_table(wide, int8, flops, threads, repeats)
    engine_table(wide, int8, folder)


def latency_table(wide: Path, int8: Path, flops: float, threads: int, repeats: int) -> None:
    subjects = {
        "FP32": (wide, "fp32", "fp32"),
        "bf16": (wide, "bf16", "bf16"),
        "INT8, floats FP32": (int8, "fp32", "int8"),
        "INT8, floats bf16": (int8, "bf16", "int8"),
    }
    models = [
        load_model("openvino", path, RuntimeOptions(precision=floats, threads=threads))
        for path, floats, _ in subjects.values()
    ]
    medians = medians_ms(models, repeats)
    peaks = {kind: gemm_peak(kind, threads) for kind in ("fp32", "bf16", "int8")}
    table = Table(title=f"OpenVINO, {threads} threads, {flops:.1f} GFLOP a pair, {repeats} turns")
    for column in ("", "p50", "of FP32", "GFLOP/s", "GEMM peak", "share of peak", "file"):
        table.add_column(column, justify="right" if column else "left")
    for (name, (path, _, kind)), median in zip(subjects.items(), medians, strict=True):
        rate, peak = flops / median * 1000, peaks[kind]
        table.add_row(
            *(name, f"{median:.1f} ms", f"{median / medians[0]:.0%}", f"{rate:.0f}"),
            *(f"{peak:.0f}", f"{rate / peak:.0%}", f"{size_mb(path):.1f} MB"),
        )
    Console(width=100).print(table)


def medians_ms(models: Sequence[PairModel], repeats: int) -> list[float]:
    """The median latency of a pair of random images, models in turn."""
    random = np.random.default_rng(0)
    images = tuple(random.uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32) for _ in range(2))
    timing = load_specs(ROOT / "specs").workload.timing.model_copy(update={"repeats": repeats})
    turns = measure_latency(models, images, timing)
    return [float(np.percentile(samples.ms, 50)) for samples in turns]


def size_mb(graph: Path) -> float:
    """Size of a graph with the file of its external weights."""
    weights = graph.with_name(f"{graph.name}.data")
    return sum(part.stat().st_size for part in (graph, weights) if part.is_file()) / 1e6


def gemm_peak(kind: str, threads: int) -> float:
    """GFLOP/s of one large matrix product in OpenVINO."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gemm.onnx"
        onnx.save(gemm(quantized=kind == "int8"), path)
        hint = "bf16" if kind == "bf16" else "f32"
        settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads}
        request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
        values = np.random.default_rng(0).uniform(-1, 1, (GEMM_SIDE, GEMM_SIDE))
        request.set_input_tensor(openvino.Tensor(values.astype(np.float32)))
        times = []
        for _ in range(GEMM_REPEATS):
            start = time.perf_counter()
            request.infer()
            times.append(time.perf_counter() - start)
    return 2 * GEMM_SIDE**3 / min(times) / GIGA


def gemm(*, quantized: bool) -> onnx.ModelProto:
    """A product of two square matrices, the second constant; its result is reduced to one row."""
    weights = np.random.default_rng(1).integers(-127, 128, (GEMM_SIDE, GEMM_SIDE)).astype(np.int8)
    scale, zero = np.float32(1 / 127), np.int8(0)
    constants = {"scale": scale, "zero": zero, "axes": np.array([0])}
    if quantized:
        constants["weights"] = weights
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["x8"]),
            helper.make_node("DequantizeLinear", ["x8", "scale", "zero"], ["left"]),
            helper.make_node("DequantizeLinear", ["weights", "scale", "zero"], ["right"]),
        ]
    else:
        constants["right"] = weights * scale
        nodes = [helper.make_node("Identity", ["x"], ["left"])]
    nodes += [
        helper.make_node("MatMul", ["left", "right"], ["product"]),
        helper.make_node("ReduceMax", ["product", "axes"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [GEMM_SIDE, GEMM_SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, GEMM_SIDE])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def engine_table(wide: Path, int8: Path, folder: Path) -> None:
    table = Table(title="TensorRT for RTX, compiled without a GPU")
    for column in ("", "graph", "engine", "time", "peak memory", "products"):
        table.add_column(column, justify="right" if column else "left")
    cases: list[tuple[str, Path, EngineFloats]] = [
        ("FP32", wide, "fp32"), ("FP16", wide, "fp16"), ("INT8, floats FP16", int8, "fp16"),
    ]  # fmt: skip
    for name, graph, floats in cases:
        engine = folder / "a.trt"
        start = time.perf_counter()
        manifest = build_engine(graph, engine, compiler="tensorrt_rtx", floats=floats)
        table.add_row(
            *(
                name,
                f"{graph.stat().st_size / 1e6:.1f} MB",
                f"{engine.stat().st_size / 1e6:.1f} MB",
            ),
            *(f"{time.perf_counter() - start:.1f} s", f"{compiler_peak_mb(engine):.0f} MB"),
            products(manifest.products),
        )
    Console(width=100).print(table)


def compile_full(folder: Path, threads: int) -> None:
    console, start = Console(width=100), time.perf_counter()

    def say(what: str) -> None:
        seconds = time.perf_counter() - start
        console.print(
            f"{seconds:5.0f} s  {what}; peak memory so far {process_peak_gb():.1f} GB",
            highlight=False,
        )

    network = Dust3r(CONFIGS[FULL]).eval()
    say(
        f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.0f}M parameters made"
    )
    wide, flops = folder / "full.onnx", flops_giga(network, SIDE, SIDE)
    export_onnx(network, wide)
    say("exported in FP32")
    # The ranges of random weights do not matter, but the cost of their calibration does.
    quantized(network, 64)
    say("quantized")
    graph, engine = folder / "full_int8.onnx", folder / "full_int8.trt"
    export_int8(network, graph, Origin("Q_PTQ_keepLN_run1"))
    del network
    say(f"exported, {graph.stat().st_size / 1e6:.0f} MB")
    manifest = build_engine(graph, engine, compiler="tensorrt_rtx", floats="fp16")
    say(f"compiled, {engine.stat().st_size / 1e6:.0f} MB; {products(manifest.products)}")
    console.print(f"the compiler, a separate process: {compiler_peak_mb(engine):.0f} MB at most")
    latency_table(wide, graph, flops, threads, FULL_TURNS)
    say("timed")


def quantized(network: Dust3r, side: int) -> Dust3r:
    """The network under the policy of Q-1, calibrated on two random images."""
    policy = resolve(load_specs(ROOT / "specs"), "Q-1", "small").common
    images = [2 * torch.rand(1, 3, side, side) - 1 for _ in range(2)]
    quantize(network, policy, lambda model: model(*images))
    return network


def products(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def compiler_peak_mb(engine: Path) -> float:
    log = engine.with_name(engine.name + ".log").read_text()
    return float(log.partition(PEAK_MEMORY)[2].split()[0])


if __name__ == "__main__":
    main()
