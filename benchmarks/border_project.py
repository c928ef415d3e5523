"""The files of a project: specs, lock and ledger, results, engines and their manifests."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from border_files import Case, fault_in, void

from dust_core.errors import DustError

ROOT = Path(__file__).parents[1]
SPECS_ALONE = ("--ignore", "DATA002")  # whether the sets are here
_RESULTS = ROOT / "tests" / "core" / "declared" / "records"


def specs(root: Path) -> Iterator[Case]:
    """Each file of the specs, and each profile."""
    folder = root / "specs"
    shutil.copytree(ROOT / "specs", folder)
    for file in (*sorted((folder / "v1").glob("*.yaml")), *sorted((folder / "profiles").glob("*"))):
        yield Case(file, lambda: fault_in("validate", folder, *SPECS_ALONE))


def project(root: Path) -> Iterator[Case]:
    """The lock of DVC, its stages, and the ledger of executions, beside sound specs."""
    folder = root / "project"
    for name in ("specs", "executions"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dvc.lock", "dvc.yaml"):
        shutil.copy(ROOT / name, folder / name)
    executions = sorted((folder / "executions").rglob("*.jsonl"))
    for file in (folder / "dvc.lock", folder / "dvc.yaml", executions[0]):
        yield Case(file, lambda: fault_in("validate", folder, *SPECS_ALONE))


def results(root: Path) -> Iterator[Case]:
    """A result, as tasks read it and as the validator does."""
    sys.path.insert(0, str(_RESULTS))
    import sample_results

    from dust_core.declared.records.storage import read_result_file, write_result_file

    path = root / "K-1_log.json"
    result = sample_results.result(quality=sample_results.per_pair())
    write_result_file(path, sample_results.result_file(result))
    yield Case(path, lambda: void(read_result_file(path)))
    yield Case(path, lambda: _validated(path))


def _validated(path: Path) -> None:
    """Validate a result, whose experiment is nobody's: the answer is no, and that is no fault."""
    with contextlib.suppress(DustError):
        fault_in("validate", path)


def engines(root: Path) -> Iterator[Case]:
    """An engine and its manifest."""
    from dust_core.files import sha256_file
    from dust_eval.runtimes.engine_manifest import (
        EngineManifest,
        manifest_path,
        verify_engine,
        write_manifest,
    )

    graph, engine = root / "a.onnx", root / "a.trt"
    graph.write_bytes(b"graph")
    engine.write_bytes(b"engine")
    manifest = EngineManifest(
        engine=engine.name,
        sha256=sha256_file(engine),
        onnx_sha256=sha256_file(graph),
        compiler="tensorrt",
        versions={"api": "10.13"},
        compute_capabilities=("9.0",),
        inputs={"image1": (1, 3, 512, 512)},
        floats="fp16",
        tf32=False,
        products={"Int8": 69},
    )
    write_manifest(manifest, engine)
    yield Case(engine, lambda: void(verify_engine(engine, graph)))
    yield Case(manifest_path(engine), lambda: void(verify_engine(engine, graph)))


PROJECT_READERS: dict[str, Callable[[Path], Iterator[Case]]] = {
    "specs": specs,
    "project": project,
    "results": results,
    "engines": engines,
}
