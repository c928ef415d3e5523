"""The runtimes, and the files that each of them reads."""

from importlib import import_module
from pathlib import Path
from typing import cast

from dust_core.errors import DustError
from dust_core.network.kinds import ModelKind, kind_of_model
from dust_core.tracked import remedy
from dust_eval.runtimes.base import Graph, PairModel, RuntimeOptions

# name: (module with `load(path, options)` -> PairModel, suffixes of the files that it reads)
RUNTIMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "torch": ("dust_eval.runtimes.torch_runtime", (".pth",)),
    "openvino": ("dust_eval.runtimes.openvino_runtime", (".onnx",)),
    "onnxruntime": ("dust_eval.runtimes.onnxruntime_runtime", (".onnx",)),
    "tensorrt": ("dust_eval.runtimes.tensorrt_runtime", (".trt",)),
}
# name: the extra of dust-eval that installs the runtime's packages.
_EXTRAS = {
    "torch": "torch",
    "openvino": "runtimes",
    "onnxruntime": "runtimes",
    "tensorrt": "torch,tensorrt",
}

_USUAL_SIDE = 512


def load_model(runtime: str, path: Path, options: RuntimeOptions) -> PairModel:
    """Load a network's file in the runtime of that name.

    Raises:
        DustError: the runtime is unknown or not installed, or cannot read the file.
    """
    return cast(PairModel, _load(runtime, "load", path, options))


def load_graph(runtime: str, path: Path, options: RuntimeOptions) -> Graph:
    """Load any graph or engine, whatever its inputs and outputs, in the runtime of that name.

    Raises:
        DustError: see `load_model`; or the runtime reads no graphs.
    """
    return cast(Graph, _load(runtime, "load_graph", path, options))


def _load(runtime: str, function: str, path: Path, options: RuntimeOptions) -> object:
    if runtime not in RUNTIMES:
        raise DustError(f"no runtime is called {runtime!r}", fix=f"one of {', '.join(RUNTIMES)}")
    module, suffixes = RUNTIMES[runtime]
    if not path.exists():
        raise DustError("no such file", where=str(path), fix=remedy(path))
    kind = kind_of_model(path)
    if not _reads(runtime, kind):
        raise DustError(
            f"{runtime} reads {' and '.join(suffixes)} files, and this is {kind.value}",
            where=str(path),
            fix="export it first",
        )
    try:
        loader = getattr(import_module(module), function)
        if kind is ModelKind.GRAPH:
            # OpenVINO takes what is no ONNX for TensorFlow's, and prints what it tries.
            from dust_core.network.onnx.sound import sound_proto

            sound_proto(path)
        return loader(path, options)
    except ModuleNotFoundError as error:
        raise DustError(
            f"the {runtime} runtime needs the module {error.name}",
            fix=f"pip install 'dust-eval[{_EXTRAS[runtime]}]'",
        ) from error


def load_any(path: Path, options: RuntimeOptions) -> PairModel:
    """Load a file in the default runtime of its kind: the first that reads it.

    A folder is a hub's checkpoint (config.json, model.safetensors), which torch reads.

    The kind is told by the content, whatever the file is called.

    Raises:
        DustError: it is absent or no model, or its runtime is not installed or cannot read it.
    """
    kind = kind_of_model(path)
    return load_model(next(name for name in RUNTIMES if _reads(name, kind)), path, options)


def _reads(runtime: str, kind: ModelKind) -> bool:
    """Whether a runtime reads files of that kind."""
    if kind.is_checkpoint:
        return runtime == "torch"
    return {ModelKind.GRAPH: ".onnx", ModelKind.ENGINE: ".trt"}[kind] in RUNTIMES[runtime][1]


def side_of(model: PairModel, path: Path, asked: int | None) -> int:
    """The side of a model's square images: the requested one, else the model's own, else 512.

    Raises:
        DustError: the model takes another side, or no square images.
    """
    if model.size is None:
        return asked or _USUAL_SIDE
    height, width = model.size
    if height != width or (asked or height) != height:
        raise DustError(
            f"the graph takes images of {width}x{height}, and no other",
            where=str(path),
            fix="omit --side" if height == width else "export it for square images",
        )
    return height
