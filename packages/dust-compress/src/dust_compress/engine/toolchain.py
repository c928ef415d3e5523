"""The compiler of engines: a module to import, and the libraries that it needs."""

import os
import platform
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from dust_compress.engine.stub import stub_library
from dust_core.errors import DustError

Compiler = Literal["tensorrt", "tensorrt_rtx"]

_WHEEL = "onnxruntime_ep_nv_tensorrt_rtx"
_LIBRARIES = {
    "libnvinfer.so.11": "libtensorrt_rtx.so.*.*",
    "libtensorrt_rtx.so.1": "libtensorrt_rtx.so.*.*",
    "libnvonnxparser.so.11": "libtensorrt_onnxparser_rtx.so.*.*",
}
_PLUGINS, _PLUGINS_FUNCTION = "libnvinfer_plugin.so.11", "initLibNvInferPlugins"


@dataclass(frozen=True)
class Toolchain:
    """The requirements of a process that compiles.

    Attributes:
        module: the Python module with TensorRT's API.
        libraries: a folder for the dynamic loader, set before the process starts; None if the
            module finds its libraries itself.
    """

    module: str
    libraries: Path | None = None

    def environment(self) -> dict[str, str]:
        """The environment of that process."""
        if self.libraries is None:
            return dict(os.environ)
        path = os.pathsep.join(
            filter(None, (str(self.libraries), os.environ.get("LD_LIBRARY_PATH")))
        )
        return os.environ | {"LD_LIBRARY_PATH": path}


def find_toolchain(compiler: Compiler, folder: Path) -> Toolchain:
    """The installed compiler of that name.

    `tensorrt` needs a GPU. `tensorrt_rtx` compiles without a GPU. If its official package is not
    installed, TensorRT's bindings use the libraries of ONNX Runtime's execution provider, under the
    names that the bindings load.

    Args:
        folder: the folder to create for libraries of those names; it does not exist yet.

    Raises:
        DustError: no compiler is installed.
    """
    if find_spec(compiler) is not None:
        return Toolchain(compiler)
    if compiler == "tensorrt":
        raise DustError(
            "TensorRT is not installed",
            fix="on a host with a GPU: pip install tensorrt; without a GPU, choose the compiler "
            "tensorrt_rtx in the profile",
        )
    if not (sys.platform.startswith("linux") and platform.machine() == "x86_64"):
        raise DustError(
            f"engines are not compiled without a GPU on {sys.platform} {platform.machine()}",
            fix="compile on Linux x86-64, or install tensorrt-rtx from NVIDIA",
        )
    if find_spec("tensorrt_bindings") is None or find_spec(_WHEEL) is None:
        raise DustError(
            "no compiler of engines is installed",
            fix="pip install 'dust-compress[engine]', or tensorrt-rtx from NVIDIA",
        )
    _lay_out(folder)
    return Toolchain("tensorrt_bindings", folder)


def _lay_out(folder: Path) -> None:
    spec = find_spec(_WHEEL)
    assert spec is not None and spec.submodule_search_locations is not None
    wheel = Path(spec.submodule_search_locations[0])
    folder.mkdir(parents=True)
    for name, pattern in _LIBRARIES.items():
        libraries = sorted(wheel.glob(pattern))
        if not libraries:
            raise DustError(
                f"the wheel holds no {pattern}",
                where=str(wheel),
                fix="install the version that requirements.lock pins",
            )
        (folder / name).symlink_to(libraries[0])
    (folder / _PLUGINS).write_bytes(stub_library(_PLUGINS, _PLUGINS_FUNCTION))
