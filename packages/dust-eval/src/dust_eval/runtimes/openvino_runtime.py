"""OpenVINO on CPUs: FP32, bf16, and INT8 from Q/DQ graphs."""

from pathlib import Path

import numpy as np
import openvino

from dust_core.errors import DustError
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import PairOutput, RuntimeOptions, image_size

_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenVinoModel:
    """A compiled model whose float precision is pinned.

    Left alone, OpenVINO runs an FP32 graph in bf16 on processors that have it, and an FP32 baseline
    would not be one.
    """

    runtime = "openvino"

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        if options.device != "cpu":
            raise DustError("the OpenVINO runtime is for CPUs", fix="use tensorrt on a GPU")
        self.version = openvino.__version__
        self.options = options
        settings = {
            "INFERENCE_PRECISION_HINT": _TYPES[options.precision],
            "INFERENCE_NUM_THREADS": options.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self.compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise DustError(
                f"OpenVINO cannot compile the graph: {str(error).strip().splitlines()[-1]}",
                where=str(path),
                fix="export it again",
            ) from error
        self.size = image_size(self.compiled.input(0).shape)
        self._request = self.compiled.create_infer_request()

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput:
        return PairOutput(*self.run(image1, image2))

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        self.prepare(*inputs)
        self.execute()
        return tuple(tensor.data.copy() for tensor in self._request.output_tensors)

    def prepare(self, *inputs: Floats) -> None:
        for index, values in enumerate(inputs):
            tensor = openvino.Tensor(np.ascontiguousarray(values, np.float32))
            self._request.set_input_tensor(index, tensor)

    def execute(self) -> None:
        self._request.infer()


def load(path: Path, options: RuntimeOptions) -> OpenVinoModel:
    """Read an ONNX graph and compile it."""
    return OpenVinoModel(path, options)
