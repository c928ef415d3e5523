"""FP32, bf16 and INT8 under each instruction set of this processor, on one thread and on two.

    python benchmarks/ladder.py [--turns 40] [--nodes]

Each step runs in a process of its own under ONEDNN_MAX_CPU_ISA. The table names the kernels that
OpenVINO chose for most products, which shows that the step took effect. bf16 is measured where the
step has products of bf16. The networks have random weights, on which latency does not depend: the
teacher's shape in `small` with a linear and with a DPT head, at 512x512. The share of the peak is
that of one large product in the same runtime, precision and instruction set. --nodes says where the
time of INT8 goes, by kind of node.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import engine
import heads
import numpy as np
import openvino
import torch
import typer
from rich.console import Console  # noqa: TID251
from rich.table import Table

from dust_compress.initial_teacher import config_of, initialise
from dust_compress.quantize.export import export_int8
from dust_compress.quantize.origin import Origin
from dust_core.declared.records.environment import processor_flags
from dust_core.declared.specs import load_specs
from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga
from dust_core.network.onnx.export import export_onnx
from dust_eval.measure.latency import measure_latency
from dust_eval.runtimes import RuntimeOptions
from dust_eval.runtimes.openvino_runtime import OpenVinoGraph, load

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
# A step of the ladder by its name in oneDNN, and the flag of a processor that has it.
STEPS = {
    "AVX2": "avx2",
    "AVX512_CORE": "avx512bw",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_AMX": "amx_int8",
}
WITH_BF16 = {"AVX512_CORE_BF16", "AVX512_CORE_AMX"}
"""Steps with products of bf16. The others would emulate them, or do not compile them."""
PRECISIONS = {
    "FP32": ("float", "fp32"),
    "bf16": ("float", "bf16"),
    "INT8": ("int8", "fp32"),
    "INT8, floats bf16": ("int8", "bf16"),
}
COLUMNS = (
    *("instruction set", "threads", "head", "", "p50", "of FP32", "share of peak"),
    "kernels",
)
PRODUCTS = ("FullyConnected", "MatMul", "Convolution")


@app.callback(invoke_without_command=True)
def climb(
    context: typer.Context,
    turns: Annotated[int, typer.Option(help="Timed runs of each network.")] = 40,
    *,
    nodes: Annotated[bool, typer.Option("--nodes", help="Time by kind of node.")] = False,
) -> None:
    """Measure every step that this processor has."""
    if context.invoked_subcommand:
        return
    console = Console(width=130)
    table = Table(title=f"OpenVINO {openvino.__version__.partition('-')[0]}, {turns} turns")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column[:1] in "tpos" else "left")
    with tempfile.TemporaryDirectory() as folder:
        flops = write_graphs(Path(folder))
        for step in (name for name, flag in STEPS.items() if flag in processor_flags()):
            for threads in (1, 2):
                told = measured_under(step, Path(folder), threads, turns, nodes=nodes)
                if "refused" in told:
                    console.print(f"{step}, {threads} threads: {' '.join(told['refused'])}")
                    continue
                for row in rows_of(step, threads, told, flops):
                    table.add_row(*row)
                if nodes:
                    show_nodes(console, f"{step}, {threads} threads", told)
    console.print(table)


def write_graphs(folder: Path) -> dict[str, float]:
    """Float and INT8 graphs of the shapes, and their operations in GFLOP."""
    flops = {}
    for head, shape in heads.shapes().items():
        network = initialise(Dust3r(config_of(shape, shape.patch_size))).eval()
        flops[head] = flops_giga(network, engine.SIDE, engine.SIDE)
        export_onnx(network, folder / f"{head}.float.onnx")
        quantized = engine.quantized(network, engine.SIDE)
        export_int8(quantized, folder / f"{head}.int8.onnx", Origin("Q_PTQ_keepLN_run1"))
    return flops


def measured_under(
    step: str, folder: Path, threads: int, turns: int, *, nodes: bool
) -> dict[str, Any]:
    """What a process under that instruction set measures."""
    command = [sys.executable, __file__, "under", str(folder), str(threads), str(turns)]
    done = subprocess.run(
        [*command, *(["--nodes"] if nodes else [])],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": step},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"refused": done.stderr.strip().splitlines()[-2:]}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def rows_of(
    step: str, threads: int, told: dict[str, Any], flops: dict[str, float]
) -> list[list[str]]:
    rows = []
    for head, by_precision in told["networks"].items():
        fp32 = by_precision["FP32"]["ms"]
        for name, found in by_precision.items():
            rate = 1000 * flops[head] / found["ms"]
            rows.append(
                [
                    *(step, str(threads), head, name, f"{found['ms']:.1f} ms"),
                    *(f"{found['ms'] / fp32:.0%}", f"{rate / told['peaks'][name]:.0%}"),
                    found["kernels"],
                ]
            )
    return rows


def show_nodes(console: Console, title: str, told: dict[str, Any]) -> None:
    for head, by_precision in told["networks"].items():
        name, found = list(by_precision.items())[-1]
        said = ", ".join(f"{kind} {ms:.2f} ms" for kind, ms in found["nodes"].items())
        console.print(f"{title}, {head}, {name}: {said}", highlight=False)


@app.command(hidden=True)
def under(folder: Path, threads: int, turns: int, *, nodes: bool = False) -> None:
    """Measure under the instruction set of this process, and print JSON."""
    torch.set_num_threads(threads)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 3, engine.SIDE, engine.SIDE))
    pair = tuple(images.astype(np.float32))
    timing = load_specs(engine.ROOT / "specs").workload.timing.model_copy(update={"repeats": turns})
    networks: dict[str, dict[str, Any]] = {}
    step = os.environ["ONEDNN_MAX_CPU_ISA"]
    precisions = {
        name: files
        for name, files in PRECISIONS.items()
        if "bf16" not in files or step in WITH_BF16
    }
    for head in heads.shapes():
        models = [
            load(folder / f"{head}.{kind}.onnx", RuntimeOptions(precision=floats, threads=threads))
            for kind, floats in precisions.values()
        ]
        taken = measure_latency(models, pair, timing)
        networks[head] = {
            name: {"ms": float(np.median(turn.ms)), "kernels": kernels(model.graph)}
            for name, model, turn in zip(precisions, models, taken, strict=True)
        }
        if nodes:
            for name, (kind, floats) in precisions.items():
                path = folder / f"{head}.{kind}.onnx"
                networks[head][name]["nodes"] = by_kind(path, floats, threads, pair)
    kinds = {"FP32": "fp32", "bf16": "bf16", "INT8": "int8", "INT8, floats bf16": "int8"}
    peaks = {name: engine.gemm_peak(kinds[name], threads) for name in precisions}
    print(json.dumps({"networks": networks, "peaks": peaks}))


def kernels(graph: Any) -> str:
    """The kernels of most products, as OpenVINO names them."""
    assert isinstance(graph, OpenVinoGraph)
    chosen: Counter[str] = Counter()
    for node in graph.compiled.get_runtime_model().get_ops():
        facts = node.get_rt_info()
        if facts["layerType"].astype(str).startswith(PRODUCTS):
            chosen[facts["primitiveType"].astype(str)] += 1
    return chosen.most_common(1)[0][0]


def by_kind(path: Path, floats: str, threads: int, pair: tuple[Any, ...]) -> dict[str, float]:
    """Milliseconds of a run by kind of node, the longest first."""
    hint = {"fp32": "f32", "bf16": "bf16"}[floats]
    settings = {
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads,
        "PERF_COUNT": True,
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    for name, image in zip(("image1", "image2"), pair, strict=True):
        request.set_tensor(name, openvino.Tensor(image))
    runs, spent = 12, Counter[str]()
    for run in range(runs):
        request.infer()
        if run >= runs // 2:
            for node in request.profiling_info:
                spent[node.node_type] += node.real_time.total_seconds() * 2000 / runs
    return {kind: ms for kind, ms in spent.most_common() if ms >= 0.01}


if __name__ == "__main__":
    app()
