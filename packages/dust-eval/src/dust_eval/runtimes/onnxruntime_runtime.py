"""ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from dust_core.errors import DustError, first_line
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import Precision, RuntimeOptions, Shape
from dust_eval.runtimes.clock import Clock, DeviceClock, HostClock
from dust_eval.runtimes.graph_model import GraphModel, require_float


class OnnxRuntimeGraph:
    """A session on one device with a pinned number of threads; inputs and outputs stay on it."""

    runtime = "onnxruntime"
    precision: Precision = "fp32"
    clock: Clock
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        if options.precision != "fp32":
            raise DustError(
                f"ONNX Runtime runs a graph in its own types, not in {options.precision}",
                where=str(path),
                fix="ask for fp32, or use openvino",
            )
        self.version = onnxruntime.__version__
        self.options = options
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        if options.as_written:  # else Q/DQ pairs are fused into 8-bit products
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            settings.graph_optimization_level = level
        self.clock, provider = _clock_and_provider(options)
        try:
            self.session = onnxruntime.InferenceSession(str(path), settings, providers=[provider])
        except Exception as error:  # its exceptions share no base but Exception
            raise DustError(
                f"ONNX Runtime cannot load the graph: {first_line(error)}",
                where=str(path),
                fix="export it again",
            ) from error
        for port in (*self.session.get_inputs(), *self.session.get_outputs()):
            require_float(port.name, port.type, "tensor(float)", path)
        self.inputs = {port.name: _shape(port) for port in self.session.get_inputs()}
        self.outputs = {port.name: _shape(port) for port in self.session.get_outputs()}
        self._binding = self.session.io_binding()
        for name in self.outputs:
            self._binding.bind_output(name, options.device)

    def bind(self, arrays: Mapping[str, Floats]) -> None:
        for name, array in arrays.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array, self.options.device, 0)
            self._binding.bind_ortvalue_input(name, value)

    def execute(self) -> None:
        self.session.run_with_iobinding(self._binding)

    def read(self, names: Sequence[str]) -> list[Floats]:
        values = dict(zip(self.outputs, self._binding.copy_outputs_to_cpu(), strict=True))
        # On a CPU these are views of memory that the next run may write to.
        return [np.array(values[name]) for name in names]


def _shape(port: Any) -> Shape:
    """A side that is not static, which has a name or none, is -1."""
    return tuple(side if isinstance(side, int) else -1 for side in port.shape)


def _clock_and_provider(options: RuntimeOptions) -> tuple[Clock, tuple[str, dict[str, Any]]]:
    """The clock of a run, and the execution provider: on a GPU both share a stream."""
    name = "CUDAExecutionProvider" if options.device == "cuda" else "CPUExecutionProvider"
    if name not in onnxruntime.get_available_providers():
        raise DustError(f"this ONNX Runtime has no {name}", fix="install onnxruntime-gpu")
    if options.device == "cpu":
        return HostClock(), (name, {})
    import torch

    stream = torch.cuda.Stream()
    settings = {"user_compute_stream": str(stream.cuda_stream), "use_tf32": int(options.tf32)}
    return DeviceClock(stream), (name, settings)


def load_graph(path: Path, options: RuntimeOptions) -> OnnxRuntimeGraph:
    """Read any graph.

    Raises:
        DustError: it cannot be loaded, or this ONNX Runtime has no such device or precision.
    """
    return OnnxRuntimeGraph(path, options)


def load(path: Path, options: RuntimeOptions) -> GraphModel:
    """Read a network's graph."""
    return GraphModel(load_graph(path, options), path)
