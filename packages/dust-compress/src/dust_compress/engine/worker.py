"""The process that compiles: `python -m dust_compress.engine.worker REQUEST`.

It is a separate process for two reasons: the loader reads LD_LIBRARY_PATH only when a process
starts, and a compiler that runs out of memory must not end the caller. It reads a request and
writes the engine, the timing cache, the log and a report. It prints each phase on standard output.

It uses only the part of the API that is the same in the bindings of TensorRT and the libraries of
TensorRT for RTX (with 11.4 and 1.7, a read of a network's flags ends the process).
"""

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

PEAK_MEMORY = "Peak memory of the compiling process:"
_OLDEST = 11  # the first version that is strongly typed throughout
_NAMED_ERRORS = 3
_TYPES = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16", "INT8": "int8"}


def main(request_path: str) -> int:
    """Compile what the request asks for; 0 if the engine is written, 3 if the graph is at fault."""
    request = json.loads(Path(request_path).read_text())
    trt: Any = import_module(request["module"])
    if request["module"] == "tensorrt" and int(trt.__version__.split(".")[0]) < _OLDEST:
        return _give_up(request, [f"TensorRT {trt.__version__} is too old: {_OLDEST} is needed"])
    with Path(request["log"]).open("w") as log:
        logger = _logger(trt, log, verbose=request["verbose"])
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(request["onnx"]):
            errors = (parser.get_error(index) for index in range(parser.num_errors))
            return _give_up(request, [_described(error) for error in errors])
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request["workspace_bytes"])
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if not request["tf32"]:
            config.clear_flag(trt.BuilderFlag.TF32)
        monitor = _monitor(trt)
        config.progress_monitor = monitor
        cache = _timing_cache(config, request["timing_cache"])
        engine = builder.build_serialized_network(network, config)
        if engine is None:
            last = logger.errors[-_NAMED_ERRORS:]  # earlier ones may only mean no GPU
            return _give_up(request, last or ["the builder failed without a message"])
        Path(request["engine"]).write_bytes(memoryview(engine))
        if cache is not None:
            Path(request["timing_cache"]).write_bytes(memoryview(cache.serialize()))
        inputs = (network.get_input(index) for index in range(network.num_inputs))
        report = {
            "version": trt.__version__,
            "inputs": {image.name: list(image.shape) for image in inputs},
            "products": Counter(_products(trt, network)),
        }
        log.write(f"info: {PEAK_MEMORY} {_peak_memory_mb():.0f} MB\n")
        Path(request["report"]).write_text(json.dumps(report))
    return 0


def _logger(trt: Any, log: Any, *, verbose: bool) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        """Writes to the log, and keeps the errors for the message."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.ERROR:
                self.errors.append(message)
            if verbose or severity < trt.ILogger.VERBOSE:
                log.write(f"{severity.name.lower()}: {message}\n")
                log.flush()  # the last lines of a killed process matter most

    return Logger()


def _monitor(trt: Any) -> Any:
    parent = os.getppid()

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Prints each phase, and ends the build when the calling process has ended."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent_phase: str | None, steps: int) -> None:
            print(name, flush=True)

        def step_complete(self, name: str, step: int) -> bool:
            return os.getppid() == parent

        def phase_finish(self, name: str) -> None:
            pass

    return Monitor()


def _timing_cache(config: Any, path: str | None) -> Any:
    """The timings of earlier builds, if the compiler uses timings."""
    if path is None:
        return None
    known = Path(path).read_bytes() if Path(path).is_file() else b""
    cache = config.create_timing_cache(known)
    return cache if cache is not None and config.set_timing_cache(cache, True) else None


def _products(trt: Any, network: Any) -> Iterator[str]:
    """The type in which each matrix product and convolution computes."""
    kinds = trt.LayerType
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    producers = {
        layer.get_output(index).name: layer
        for layer in layers
        for index in range(layer.num_outputs)
    }
    carriers = (kinds.SHUFFLE, kinds.IDENTITY)
    for layer in layers:
        if layer.type not in (kinds.MATRIX_MULTIPLY, kinds.CONVOLUTION, kinds.DECONVOLUTION):
            continue
        sources = []
        for index in range(min(layer.num_inputs, 2)):  # a convolution's third is its bias
            source = producers.get(layer.get_input(index).name)
            while source is not None and source.type in carriers:
                source = producers.get(source.get_input(0).name)
            sources.append(None if source is None else source.type)
        if sources == [kinds.DEQUANTIZE, kinds.DEQUANTIZE]:
            yield "int8"
        else:
            name = layer.get_output(0).dtype.name
            yield _TYPES.get(name, name.lower())


def _peak_memory_mb() -> float:
    """In 10^6 bytes; NaN if the system does not report it.

    `getrusage` is unsuitable: it includes the calling process's memory at the start of this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    peaks = (float(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return next(peaks, math.nan) * 1024 / 1e6


def _described(error: Any) -> str:
    return f"{error.node_operator()} {error.node_name()}: {error.desc()}".strip(": ")


def _give_up(request: dict[str, Any], errors: list[str]) -> int:
    Path(request["report"]).write_text(json.dumps({"errors": errors[:_NAMED_ERRORS]}))
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
