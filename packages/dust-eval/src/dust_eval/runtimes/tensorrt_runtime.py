"""TensorRT engines on a GPU."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from dust_core.errors import DustError
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import PairOutput, RuntimeOptions, image_size
from dust_eval.runtimes.engine_manifest import verify_engine


class TensorRtModel:
    """An engine whose inputs and outputs are torch tensors on the GPU."""

    runtime = "tensorrt"

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        manifest = verify_engine(path)
        if not torch.cuda.is_available():
            raise DustError(
                "an engine runs on a GPU only, and none is here",
                where=str(path),
                fix="evaluate with the openvino runtime, or run on a machine with a GPU",
            )
        major, minor = torch.cuda.get_device_capability()
        if f"{major}.{minor}" not in manifest.compute_capabilities:
            raise DustError(
                f"the engine is for compute capability {', '.join(manifest.compute_capabilities)}, "
                f"this GPU has {major}.{minor}",
                where=str(path),
                fix="build the engine on this machine",
            )
        trt = _bindings(manifest.compiler)
        self.version = f"{manifest.compiler} {trt.__version__}"
        self.options = options
        engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(
            path.read_bytes()
        )
        if engine is None:
            raise DustError(
                f"{self.version} cannot load the engine",
                where=str(path),
                fix=f"build it with this version; it was built with {manifest.versions}",
            )
        self._context = engine.create_execution_context()
        self._stream = torch.cuda.Stream()
        self._inputs: list[torch.Tensor] = []
        self._outputs: list[torch.Tensor] = []
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            tensor = torch.empty(tuple(engine.get_tensor_shape(name)), device="cuda")
            self._context.set_tensor_address(name, tensor.data_ptr())
            is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            (self._inputs if is_input else self._outputs).append(tensor)

        self.size = image_size(self._inputs[0].shape)

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput:
        return PairOutput(*self.run(image1, image2))

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        self.prepare(*inputs)
        self.execute()
        return tuple(tensor.cpu().numpy() for tensor in self._outputs)

    def prepare(self, *inputs: Floats) -> None:
        for tensor, values in zip(self._inputs, inputs, strict=True):
            tensor.copy_(torch.from_numpy(values))
        torch.cuda.synchronize()

    def execute(self) -> None:
        self._context.execute_async_v3(self._stream.cuda_stream)
        self._stream.synchronize()


def load(path: Path, options: RuntimeOptions) -> TensorRtModel:
    """Check the engine against its manifest, then load it."""
    return TensorRtModel(path, options)


def _bindings(compiler: str) -> Any:
    try:
        return import_module(compiler)
    except ImportError as error:
        raise DustError(
            f"{compiler}, which built the engine, cannot be imported: {error}",
            fix=f"pip install {compiler.replace('_', '-')}",
        ) from error
