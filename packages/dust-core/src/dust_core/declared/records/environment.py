"""What the present process runs on: device, versions, commit. Imports nothing heavy."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from dust_core.declared.draft import is_draft
from dust_core.declared.project import EMBEDDED_PROFILE, pipeline_path
from dust_core.declared.records.ledger import LEDGER
from dust_core.declared.records.provenance import MeasuredDevice
from dust_core.declared.records.sources import measuring_code, training_code
from dust_core.errors import DustError

RECORDED_PACKAGES = (
    "dust-core",
    "dust-eval",
    "dust-compress",
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "tensorrt-rtx",
    "nvidia-modelopt",
    "torch-pruning",
    "nvidia-dali-cuda120",
)
"""Distributions whose versions can affect a figure; the installed versions are recorded."""

# Instruction sets that decide how fast matrix products run; the other flags have no effect on it.
_FAST_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "asimd")

EIGHT_BIT_SETS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Instruction sets of x86 that add 8-bit products in 32 bits, so that they do not saturate."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Environment:
    """Where and from which sources the process runs; what `Provenance` has by these names.

    Attributes:
        changed: the files that differ from the commit: see `changed_paths`.
    """

    device: MeasuredDevice
    versions: dict[str, str]
    commit: str
    changed: tuple[str, ...]
    measuring_code: str | None
    training_code: str | None
    draft: bool

    @property
    def dirty(self) -> bool:
        """Whether the working tree differs from the commit."""
        return bool(self.changed)


def environment_fingerprint(
    device: Literal["cpu", "cuda"] = "cpu", *, repository: Path | None = None
) -> Environment:
    """Describe the machine, the installed versions and sources, and the commit.

    Args:
        device: what the networks run on; `cuda` is the first visible GPU.
        repository: a folder of the git working tree; the current one by default.

    Raises:
        DustError: no git commit can be found, or `cuda` was asked for and there is none.
    """
    folder = repository or Path.cwd()
    return Environment(
        device=described_device(device),
        versions={
            "python": platform.python_version(),
            **installed_versions(RECORDED_PACKAGES),
        },
        commit=_git(folder, "rev-parse", "HEAD"),
        changed=tuple(changed_paths(folder)),
        measuring_code=measuring_code(),
        training_code=training_code(),
        draft=is_draft(),
    )


def described_device(kind: Literal["cpu", "cuda"]) -> MeasuredDevice:
    """This machine's processor, or its first visible GPU.

    Raises:
        DustError: `cuda` was asked for and there is none.
    """
    return _cuda_device() if kind == "cuda" else _cpu_device()


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of the distributions in `packages` that are installed."""
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def processor_flags() -> frozenset[str]:
    """The instruction sets of the processor, as Linux names them; empty on other systems."""
    described = _cpuinfo()
    return frozenset(described.get("flags", described.get("Features", "")).split())


def changed_paths(folder: Path, without: Iterable[str] = ()) -> list[str]:
    """The files of a working tree that differ from its commit, but for those that a run writes.

    Args:
        folder: a folder of the working tree.
        without: further files and folders to leave out, from the top of the working tree.

    Raises:
        DustError: no git commit can be found.
    """
    # While stages run, DVC writes the lock beside a pipeline and `dust repro` appends to the
    # ledger, which changes no source.
    locks = {pipeline_path(profile).with_name("dvc.lock") for profile in (EMBEDDED_PROFILE, "*")}
    written = [*sorted(lock.as_posix() for lock in locks), f"{LEDGER}/*/*.jsonl"]
    excluded = [
        *(f":(top,glob,exclude){path}" for path in written),
        *(f":(top,literal,exclude){path}" for path in without),
    ]
    changed = _git(folder, "status", "--porcelain", "--untracked-files=all", "--", ":/", *excluded)
    return [line.strip().partition(" ")[2].strip() for line in changed.splitlines()]


def named_few(names: Sequence[str]) -> str:
    """The first three of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise DustError(
            "cannot tell which commit is executed",
            where=str(folder),
            fix="run inside a clone of the repository that has a commit; a figure without its "
            "commit is not recorded",
        ) from error
    return done.stdout.strip()


def _device(kind: Literal["cpu", "cuda"], name: str, **facts: Any) -> MeasuredDevice:
    text = json.dumps({"kind": kind, "name": name, **facts}, sort_keys=True)
    return MeasuredDevice(
        kind=kind, name=name, fingerprint=hashlib.sha256(text.encode("utf-8")).hexdigest()
    )


def _cpu_device() -> MeasuredDevice:
    described, flags = _cpuinfo(), processor_flags()
    return _device(
        "cpu",
        described.get("model name") or platform.processor() or platform.machine(),
        machine=platform.machine(),
        family=described.get("cpu family"),
        model=described.get("model"),
        cores=usable_cores(),
        flags=[flag for flag in _FAST_FLAGS if flag in flags],
    )


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty where there is no such file."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def usable_cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cuda_device() -> MeasuredDevice:
    """The first visible GPU, as the driver describes it: torch would take seconds to import."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0] or "none"
    query = ["--query-gpu=name,compute_cap,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            ["nvidia-smi", f"--id={visible}", *query], capture_output=True, text=True, check=True
        )
        name, capability, memory_MiB = done.stdout.strip().rsplit(", ", 2)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise DustError(
            "there is no CUDA device to describe: nvidia-smi does not name one",
            where="device cuda",
            fix="choose a profile whose device is cpu, or make nvidia-smi work on this machine",
        ) from error
    return _device("cuda", name, capability=capability, memory_MiB=memory_MiB)
