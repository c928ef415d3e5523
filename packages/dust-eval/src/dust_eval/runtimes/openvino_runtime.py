"""OpenVINO on CPUs: FP32, bf16, and INT8 from Q/DQ graphs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openvino

from dust_core.errors import DustError, last_line
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import Precision, RuntimeOptions, Shape
from dust_eval.runtimes.clock import Clock, HostClock
from dust_eval.runtimes.graph_model import GraphModel, require_float

_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_PRECISIONS = {hint: precision for precision, hint in _HINTS.items()}


class OpenVinoGraph:
    """A compiled graph whose float precision is pinned.

    Without a hint OpenVINO runs an FP32 graph in bf16 on processors that have bf16, so an FP32
    baseline needs the hint. On a processor without bf16 it runs in FP32 even with a bf16 hint:
    `precision` is the compiled precision.
    """

    runtime = "openvino"
    clock: Clock
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        if options.device != "cpu":
            raise DustError("the OpenVINO runtime is for CPUs", fix="use tensorrt on a GPU")
        self.version = openvino.__version__
        self.options = options
        self.clock = HostClock()
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[options.precision],
            "INFERENCE_NUM_THREADS": options.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self.compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        except Exception as error:  # not all of what it raises is a RuntimeError
            raise DustError(
                f"OpenVINO cannot compile the graph: {last_line(error)}",
                where=str(path),
                fix="export it again",
            ) from error
        hint = self.compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.precision = _PRECISIONS[hint]
        self.inputs, self.outputs = _shapes(self.compiled.inputs), _shapes(self.compiled.outputs)
        for port in (*self.compiled.inputs, *self.compiled.outputs):
            require_float(port.any_name, port.element_type.to_string(), "f32", path)
        self._request = self.compiled.create_infer_request()

    def bind(self, arrays: Mapping[str, Floats]) -> None:
        for name, array in arrays.items():
            self._request.set_tensor(name, openvino.Tensor(array))

    def execute(self) -> None:
        self._request.infer()

    def read(self, names: Sequence[str]) -> list[Floats]:
        return [self._request.get_tensor(name).data.copy() for name in names]


def _shapes(ports: Iterable[Any]) -> dict[str, Shape]:
    """Shapes by name; a port may have several names, and a side that is not static is -1."""
    return {
        name: tuple(side.get_length() if side.is_static else -1 for side in port.partial_shape)
        for port in ports
        for name in port.names
    }


def load_graph(path: Path, options: RuntimeOptions) -> OpenVinoGraph:
    """Read any ONNX graph and compile it.

    Raises:
        DustError: it cannot be compiled, or the device is no CPU.
    """
    return OpenVinoGraph(path, options)


def load(path: Path, options: RuntimeOptions) -> GraphModel:
    """Read a network's ONNX graph and compile it."""
    return GraphModel(load_graph(path, options), path)
