"""The process that compiles: `python -m dust_compress.engine.worker REQUEST`.

It is a process of its own because the loader reads LD_LIBRARY_PATH only when a process starts, and
because a compiler that runs out of memory must not take the caller with it. It reads a request and
writes the engine, the timing cache and a report; its log goes to standard error.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main(request_path: str) -> int:
    """Compile what the request asks for; 0 if the engine is written, 3 if the graph is at fault."""
    request = json.loads(Path(request_path).read_text())
    trt: Any = import_module(request["module"])
    logger = trt.Logger(trt.Logger.VERBOSE if request["verbose"] else trt.Logger.INFO)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(request["onnx"]):
        errors = [_error(parser.get_error(index)) for index in range(parser.num_errors)]
        _report(request, {"errors": errors})
        return 3
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request["workspace_bytes"])
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not request["tf32"]:
        config.clear_flag(trt.BuilderFlag.TF32)
    cache = _timing_cache(config, Path(request["timing_cache"]))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        _report(request, {"errors": ["the builder gave up; its log says why"]})
        return 3
    Path(request["engine"]).write_bytes(bytes(memoryview(engine)))
    if cache is not None:
        Path(request["timing_cache"]).write_bytes(bytes(memoryview(cache.serialize())))
    inputs = {
        network.get_input(index).name: list(network.get_input(index).shape)
        for index in range(network.num_inputs)
    }
    _report(request, {"errors": [], "version": trt.__version__, "inputs": inputs})
    return 0


def _timing_cache(config: Any, path: Path) -> Any:
    """The timings of earlier builds; TensorRT for RTX keeps none."""
    try:
        cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
        return cache if cache is not None and config.set_timing_cache(cache, True) else None
    except (AttributeError, RuntimeError):
        return None


def _error(error: Any) -> str:
    return f"{error.node_operator()} {error.node_name()}: {error.desc()}".strip()


def _report(request: dict[str, Any], content: dict[str, Any]) -> None:
    Path(request["report"]).write_text(json.dumps(content))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
