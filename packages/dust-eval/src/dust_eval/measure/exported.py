"""Files of networks as a runtime reads them: graphs of checkpoints, engines of graphs."""

from pathlib import Path

import dust_core.network.model
import dust_core.network.onnx
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.files import sha256_file, sha256_of_code
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.parts import write_parts
from dust_eval.measure.engines import compiled
from dust_eval.runtimes import EncodesOnce, PairModel, Precision, RuntimeOptions, load_split


def options_for(task: ResolvedTask, precision: Precision) -> RuntimeOptions:
    """The settings of the task's profile and protocol, with float operations in a precision."""
    return RuntimeOptions(
        precision=precision,
        threads=task.profile.threads,
        device=task.profile.device.kind,
        tf32=task.workload.timing.tf32,
    )


def runnable(task: ResolvedTask, file: Path, options: RuntimeOptions) -> Path:
    """A checkpoint, a graph or an engine as the profile's runtime reads it."""
    runtime = task.profile.runtime.name
    if file.suffix == ".pth" and runtime != "torch":
        file = exported(task, file)
    if file.suffix == ".onnx" and runtime == "tensorrt":
        file = compiled(task, file, options.precision)
    return file


def exported(task: ResolvedTask, checkpoint: Path) -> Path:
    """The checkpoint as a float32 graph of the workload's shape.

    It is written once for the checkpoint's bytes and the code that exports graphs: other code for
    attention gives another graph with another latency.
    """
    shape = task.workload.images
    path = _folder(task) / f"{_origin(task, checkpoint)}.onnx"
    if not path.exists():
        network = load_checkpoint(checkpoint, finite=False).network
        export_onnx(network, path, batch=shape.batch, height=shape.height, width=shape.width)
    return path


def exported_parts(task: ResolvedTask, path: Path) -> tuple[Path, Path]:
    """Encoder and decoder of a checkpoint or of a graph, written once as `exported` is."""
    folder = _folder(task) / _origin(task, path)
    encoder, decoder = folder / "encoder.onnx", folder / "decoder.onnx"
    if not (encoder.exists() and decoder.exists()):
        whole = exported(task, path) if path.suffix == ".pth" else path
        write_parts(whole, encoder, decoder)
    return encoder, decoder


def encoding_once(task: ResolvedTask, path: Path, whole: PairModel) -> EncodesOnce | None:
    """A measured file as a model that encodes an image once for all its pairs.

    Args:
        path: a checkpoint or a graph; that of an engine, where an engine is measured.
        whole: what is measured, as it was loaded to run whole pairs.

    Returns:
        None for an engine alone: it cannot be cut.

    Raises:
        DustError: as for the whole graph; or it cannot be cut.
    """
    if isinstance(whole, EncodesOnce):
        return whole
    if path.suffix not in (".pth", ".onnx"):
        return None
    encoder, decoder = exported_parts(task, path)
    if whole.runtime == "tensorrt":
        precision = whole.options.precision
        encoder, decoder = (compiled(task, part, precision) for part in (encoder, decoder))
    return load_split(whole.runtime, encoder, decoder, whole.options)


def _folder(task: ResolvedTask) -> Path:
    return ARTIFACTS / task.profile_name / ".work" / "exported"


def _origin(task: ResolvedTask, checkpoint: Path) -> str:
    shape = task.workload.images
    code = sha256_of_code(dust_core.network.model, dust_core.network.onnx)
    return f"{sha256_file(checkpoint)[:16]}-{code[:8]}-{shape.height}x{shape.width}"
