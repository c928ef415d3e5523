"""TensorRT engines on a GPU."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from dust_core.errors import DustError
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import Precision, RuntimeOptions, Shape
from dust_eval.runtimes.clock import Clock, DeviceClock
from dust_eval.runtimes.engine_manifest import EngineManifest, capability, read_engine
from dust_eval.runtimes.graph_model import GraphModel


class TensorRtGraph:
    """An engine whose inputs and outputs are torch tensors on the GPU."""

    runtime = "tensorrt"
    clock: Clock
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    def __init__(
        self,
        engine: Any,
        trt: Any,
        manifest: EngineManifest,
        options: RuntimeOptions,
        stream: torch.cuda.Stream,
    ) -> None:
        """`engine` is a deserialised ICudaEngine of the module `trt`; it runs on `stream`."""
        self.version = f"{manifest.compiler} {trt.__version__}"
        self.options = options
        self.precision: Precision = manifest.floats
        self._context = engine.create_execution_context()
        self._stream = stream
        self.clock = DeviceClock(stream)
        self._tensors: dict[str, torch.Tensor] = {}
        inputs: dict[str, Shape] = {}
        outputs: dict[str, Shape] = {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            shape = tuple(engine.get_tensor_shape(name))
            self._tensors[name] = torch.empty(shape, device=options.device)
            self._context.set_tensor_address(name, self._tensors[name].data_ptr())
            is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            (inputs if is_input else outputs)[name] = shape
        self.inputs, self.outputs = inputs, outputs

    def bind(self, arrays: Mapping[str, Floats]) -> None:
        for name, array in arrays.items():
            self._tensors[name].copy_(torch.from_numpy(array))  # complete on return

    def execute(self) -> None:
        """Queue one run.

        Raises:
            DustError: TensorRT does not queue it.
        """
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            raise DustError(
                f"{self.version} did not run the engine",
                fix="its message is above; build the engine again on this machine",
                exit_code=1,
            )

    def read(self, names: Sequence[str]) -> list[Floats]:
        self._stream.synchronize()
        return [self._tensors[name].cpu().numpy() for name in names]


def load_graph(path: Path, options: RuntimeOptions) -> TensorRtGraph:
    """Check an engine against its manifest, then load the bytes that were checked.

    Raises:
        DustError: the engine does not match its manifest, is for another GPU or another version
            of TensorRT, or there is no GPU.
    """
    manifest, content = read_engine(path)
    if not torch.cuda.is_available():
        raise DustError(
            "an engine runs on a GPU only, and none is here",
            where=str(path),
            fix="name its graph (.onnx), which openvino runs, or run on a machine with a GPU",
        )
    if capability() not in manifest.compute_capabilities:
        raise DustError(
            f"the engine is for compute capability {', '.join(manifest.compute_capabilities)}, "
            f"this GPU has {capability()}",
            where=str(path),
            fix="build the engine on this machine",
        )
    trt = _bindings(manifest.compiler)
    engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(content)
    if engine is None:
        raise DustError(
            f"{manifest.compiler} {trt.__version__} cannot load the engine",
            where=str(path),
            fix=f"build it with this version; it was built with {manifest.versions}",
        )
    return TensorRtGraph(engine, trt, manifest, options, torch.cuda.Stream())


def load(path: Path, options: RuntimeOptions) -> GraphModel:
    """Check a network's engine against its manifest, then load it."""
    return GraphModel(load_graph(path, options), path)


def _bindings(compiler: str) -> Any:
    try:
        return import_module(compiler)
    except ImportError as error:
        raise DustError(
            f"{compiler}, which built the engine, cannot be imported: {error}",
            fix=f"pip install {compiler.replace('_', '-')}",
        ) from error
