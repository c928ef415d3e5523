"""What is written beside an engine, and checked before the engine is loaded: an engine is code."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dust_core.errors import DustError
from dust_core.files import atomic_write_text, sha256_file

Floats = Literal["fp32", "fp16"]


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
    floats: Floats = Field(description="What computes in it besides INT8.")
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


def verify_engine(engine: Path, graph: Path | None = None) -> EngineManifest:
    """The engine's manifest, if the engine is the one that it names.

    Args:
        graph: the graph that the engine must come from; None if any will do.

    Raises:
        DustError: the manifest is absent or broken, the engine has other bytes, or it was compiled
            from another graph.
    """
    path = manifest_path(engine)
    fix = "build the engine again; never load one from a source you do not trust"
    if not path.is_file():
        raise DustError("the engine has no manifest", where=str(path), fix=fix)
    try:
        manifest = EngineManifest.model_validate(json.loads(path.read_bytes()))
    except (ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DustError(f"not an engine manifest: {reason}", where=str(path), fix=fix) from error
    found = sha256_file(engine)
    if found != manifest.sha256:
        raise DustError(
            f"the engine's SHA-256 is {found}, its manifest says {manifest.sha256}",
            where=str(engine),
            fix=fix,
        )
    if graph is not None and (source := sha256_file(graph)) != manifest.onnx_sha256:
        raise DustError(
            f"the engine was compiled from a graph with SHA-256 {manifest.onnx_sha256}, "
            f"{graph.name} has {source}",
            where=str(engine),
            fix="build the engine again",
        )
    return manifest
