"""What each profile needs, and whether it is here."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from dust_core.declared.protection.outcome import Outcome, outcome
from dust_core.declared.specs import SpecSet, load_specs
from dust_core.declared.specs.models import ProfileSpec
from dust_core.declared.specs.models.training import Recipe
from dust_core.files import sha256_file
from dust_core.tracked import remedy, tracked_path

SETS = ("workload", "calibration", "training", "validation")

# What a verb imports, and how it is installed.
_TRAINS = {"torch": "dust-compress[distill]", "nvidia.dali": "dust-core[data]"}
_QUANTIZES = {"modelopt": "dust-compress[quantize]", "onnx_ir": "dust-compress[quantize]"}
_RUNTIMES = {
    "openvino": {"openvino": "dust-eval[runtimes]"},
    "onnxruntime": {"onnxruntime": "dust-eval[runtimes]"},
    "tensorrt": {"tensorrt": "dust-eval[tensorrt]"},
    "torch": {"torch": "dust-eval[torch]"},
}
_COMPILERS = {
    "tensorrt": {"tensorrt": "dust-eval[tensorrt]"},
    "tensorrt_rtx": {"onnxruntime_ep_nv_tensorrt_rtx": "dust-compress[engine]"},
}
_REPRODUCES = {"dvc": "dvc"}


def profile_outcomes(folder: Path, wanted: str | None, gpus: int) -> dict[str, list[Outcome]]:
    """What each profile lacks on this machine.

    Args:
        folder: the specs.
        wanted: a profile's name; None for all.
        gpus: how many there are.

    Raises:
        DustError: the specs cannot be read, or there is no such profile.
    """
    specs = load_specs(folder)
    names = sorted(specs.profiles) if wanted is None else [wanted]
    return {name: list(_outcomes(name, specs, gpus)) for name in names}


def _outcomes(name: str, specs: SpecSet, gpus: int) -> Iterator[Outcome]:
    profile = specs.profile(name)
    yield outcome(f"{name}: device", list(_device_faults(profile, gpus)))
    yield outcome(f"{name}: packages", list(_package_faults(profile)))
    yield _sets(f"{name}: data", profile, specs)
    if profile.teacher.checkpoint is not None:
        checkpoint = profile.teacher.checkpoint
        faults = _file_faults(Path(checkpoint.path), checkpoint.sha256, checkpoint.source)
        yield outcome(f"{name}: checkpoint", list(faults))
    absent = sorted({path for path in _to_train(profile) if not _at_hand(Path(path))})
    if absent:
        # What the lock says was executed is pulled, not trained.
        yield Outcome(f"{name}: to train anew", "unknown", _not_here(absent))


def _not_here(absent: Sequence[str]) -> str:
    return (
        f"not here: {', '.join(absent)}; only the trainings whose recipes name them read them "
        "(data/README.md)"
    )


def _device_faults(profile: ProfileSpec, gpus: int) -> Iterator[str]:
    device = profile.device
    if device.kind == "cuda" and gpus < device.count:
        yield f"it needs {device.count} GPU, and nvidia-smi names {gpus}"


def _package_faults(profile: ProfileSpec) -> Iterator[str]:
    runtime = profile.runtime
    needed = {**_TRAINS, **_QUANTIZES, **_REPRODUCES, **_RUNTIMES[runtime.name]}
    needed |= _COMPILERS[runtime.compiler]
    for module, installed_by in needed.items():
        if not _is_there(module):
            yield f"{module} is not installed: pip install '{installed_by}'"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def _sets(check: str, profile: ProfileSpec, specs: SpecSet) -> Outcome:
    sets = specs.workload.data if profile.data == "embedded" else profile.data
    faults: list[str] = []
    to_fetch = []
    for name in SETS:
        split = getattr(sets, name)
        path = Path(split.manifest)
        tracked = None if path.is_file() else tracked_path(path)
        if tracked is not None:
            to_fetch.append(str(tracked))
        else:
            faults += _file_faults(path, split.sha256, "`dust data import` makes it")
    if to_fetch and not faults:
        return Outcome(check, "ok", f"`dust repro` fetches {', '.join(to_fetch)}")
    return outcome(check, faults)


def _file_faults(path: Path, sha256: str | None, source: str) -> Iterator[str]:
    """Why a file that the specs name cannot be used.

    Args:
        sha256: what the specs state; None where that is still to be filled in.
        source: where the file comes from, if DVC does not know it.
    """
    if not path.is_file():
        yield f"{path} is not here: {remedy(path, source)}"
        return
    try:
        found = sha256_file(path)
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}"
        return
    if sha256 is None:
        yield f"the profile has no sha256 of {path}: it is {found}"
    elif found != sha256:
        yield f"{path} is not the file that the specs name: {remedy(path, source)}"


def _at_hand(path: Path) -> bool:
    return path.is_file() or tracked_path(path) is not None


def _to_train(profile: ProfileSpec) -> Iterator[str]:
    """The files that only a training reads: weights to go on from, and sets too large to ship."""
    training = profile.training
    stages = training.teacher or ()
    for stage in stages:
        if stage.start is not None:
            yield stage.start.checkpoint
    students = (training.distill, *training.distill.then)
    recipes: list[Recipe] = [*stages, *students, training.qat, training.prune]
    for recipe in recipes:
        if recipe.shards is not None:
            yield recipe.shards.manifest
