"""The runtimes, and the files that each of them reads."""

from importlib import import_module
from pathlib import Path
from typing import cast

from dust_core.errors import DustError
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
    hub_folder = runtime == "torch" and path.is_dir()
    if path.suffix not in suffixes and not hub_folder:
        raise DustError(
            f"{runtime} reads {' and '.join(suffixes)} files",
            where=str(path),
            fix="export it first",
        )
    if not path.is_file() and not hub_folder:
        raise DustError("no such file", where=str(path), fix="pull it: `dvc pull`, or build it")
    try:
        loader = getattr(import_module(module), function)
        return loader(path, options)
    except ModuleNotFoundError as error:
        raise DustError(
            f"the {runtime} runtime needs the module {error.name}",
            fix=f"pip install 'dust-eval[{_EXTRAS[runtime]}]'",
        ) from error


def load_any(path: Path, options: RuntimeOptions) -> PairModel:
    """Load a file in the default runtime of its kind: the first that reads it.

    A folder is a hub's checkpoint (config.json, model.safetensors), which torch reads.

    Raises:
        DustError: no runtime reads such files, the file is absent or unreadable, or its runtime
            is not installed.
    """
    if path.is_dir():
        return load_model("torch", path, options)
    for runtime, (_, suffixes) in RUNTIMES.items():
        if path.suffix in suffixes:
            return load_model(runtime, path, options)
    known = dict.fromkeys(suffix for _, suffixes in RUNTIMES.values() for suffix in suffixes)
    raise DustError(
        f"no runtime reads {path.suffix or 'such'} files",
        where=str(path),
        fix=f"name a file that ends in {', '.join(known)}",
    )


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
