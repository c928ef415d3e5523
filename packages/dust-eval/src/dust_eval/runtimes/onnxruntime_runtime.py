"""ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime

from dust_core.errors import DustError
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import PairOutput, RuntimeOptions, image_size


class OnnxRuntimeModel:
    """A session on one device with a pinned number of threads."""

    runtime = "onnxruntime"

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        if options.precision != "fp32":
            raise DustError(
                f"ONNX Runtime runs a graph in its own types, not in {options.precision}",
                where=str(path),
                fix="ask for fp32, or use openvino",
            )
        self.version = onnxruntime.__version__
        self.options = options
        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = options.threads
        session.inter_op_num_threads = 1
        provider = "CUDAExecutionProvider" if options.device == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise DustError(f"this ONNX Runtime has no {provider}", fix="install onnxruntime-gpu")
        try:
            self.session = onnxruntime.InferenceSession(str(path), session, providers=[provider])
        except Exception as error:  # its exceptions share no base but Exception
            raise DustError(
                f"ONNX Runtime cannot load the graph: {str(error).splitlines()[0]}",
                where=str(path),
                fix="export it again",
            ) from error
        self.size = image_size(self.session.get_inputs()[0].shape)
        self._names = [port.name for port in self.session.get_inputs()]
        self._feed: dict[str, Floats] = {}
        self._outputs: list[Floats] = []

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput:
        return PairOutput(*self.run(image1, image2))

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        self.prepare(*inputs)
        self.execute()
        return tuple(self._outputs)

    def prepare(self, *inputs: Floats) -> None:
        arrays = (np.ascontiguousarray(values, np.float32) for values in inputs)
        self._feed = dict(zip(self._names, arrays, strict=True))

    def execute(self) -> None:
        self._outputs = self.session.run(None, self._feed)


def load(path: Path, options: RuntimeOptions) -> OnnxRuntimeModel:
    """Read a graph."""
    return OnnxRuntimeModel(path, options)
