"""The manifest of an engine, checked before the engine is loaded: an engine is code."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dust_core.bounded import MANIFEST_BYTES, fault_of_fields, open_regular, read_json_bounded
from dust_core.errors import DustError
from dust_core.files import atomic_write_text, sha256_file

EngineFloats = Literal["fp32", "fp16"]

_COMPILER_PACKAGES = (
    "tensorrt",
    "tensorrt-rtx",
    "tensorrt-cu12-bindings",
    "onnxruntime-ep-nv-tensorrt-rtx-cu12",
)


class EngineManifest(BaseModel):
    """The identity and the origin of a compiled engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = Field(description="File name of the engine.")
    sha256: str = Field(description="SHA-256 of the engine.", pattern="^[0-9a-f]{64}$")
    onnx_sha256: str = Field(description="SHA-256 of the graph it was compiled from.")
    compiler: str = Field(description="Compiler, `tensorrt` or `tensorrt_rtx`.")
    versions: dict[str, str] = Field(description="Versions of compiler, parser and bindings.")
    compute_capabilities: tuple[str, ...] = Field(
        description="Compute capabilities of the GPUs it runs on."
    )
    inputs: dict[str, tuple[int, ...]] = Field(description="Static shapes by input name.")
    floats: EngineFloats = Field(description="Precision of its operations that are not INT8.")
    tf32: bool = Field(description="Whether its FP32 products may run in TF32.")
    products: dict[str, int] = Field(
        description="Matrix products and convolutions by the type they compute in."
    )


def manifest_path(engine: Path) -> Path:
    """`student_int8.trt` has its manifest in `student_int8.trt.json`."""
    return engine.with_name(engine.name + ".json")


def write_manifest(manifest: EngineManifest, engine: Path) -> None:
    """Write the manifest beside the engine."""
    atomic_write_text(manifest_path(engine), manifest.model_dump_json(indent=2) + "\n")


def compiler_versions() -> dict[str, str]:
    """Versions of the installed packages that compile engines or run them."""
    versions = {}
    for package in _COMPILER_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def capability() -> str:
    """Compute capability of this machine's GPU, such as `9.0`; there must be one."""
    import torch

    major, minor = torch.cuda.get_device_capability()
    return f"{major}.{minor}"


def read_engine(engine: Path) -> tuple[EngineManifest, bytes]:
    """The manifest of an engine, and the engine's bytes, checked against the manifest.

    The file is read once, so the checked bytes are loaded even if the file changes meanwhile.

    Raises:
        DustError: the manifest is absent or broken, or the engine has other bytes.
    """
    path = manifest_path(engine)
    fix = "build the engine again; never load one from a source you do not trust"
    if not path.exists():
        raise DustError("the engine has no manifest", where=str(path), fix=fix)
    try:
        manifest = EngineManifest.model_validate(read_json_bounded(path, MANIFEST_BYTES))
    except (ValueError, OSError) as error:
        reason = fault_of_fields(error) if isinstance(error, ValidationError) else error
        raise DustError(f"not an engine manifest: {reason}", where=str(path), fix=fix) from error
    try:
        with open_regular(engine) as stream:
            content = stream.read()
    except OSError as error:
        raise DustError(
            f"cannot read the engine: {error.strerror}", where=str(engine), fix=fix
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != manifest.sha256:
        raise DustError(
            f"the engine's SHA-256 is {sha256}, its manifest says {manifest.sha256}",
            where=str(engine),
            fix=fix,
        )
    return manifest, content


def verify_engine(engine: Path, graph: Path) -> EngineManifest:
    """The engine's manifest, if the engine matches it and was compiled from the graph.

    Raises:
        DustError: see `read_engine`; or the engine was compiled from another graph.
    """
    manifest, _ = read_engine(engine)
    graph_sha256 = sha256_file(graph)
    if graph_sha256 != manifest.onnx_sha256:
        raise DustError(
            f"the engine was compiled from a graph with SHA-256 {manifest.onnx_sha256}, "
            f"{graph.name} has {graph_sha256}",
            where=str(engine),
            fix="build the engine again",
        )
    return manifest
