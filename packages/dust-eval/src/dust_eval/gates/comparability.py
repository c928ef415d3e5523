"""Whether two results are comparable."""

from collections.abc import Iterator

from dust_core.declared.records import Provenance, Result, Runtime


def differences(candidate: Result, baseline: Result) -> list[str]:
    """Why the two results are not comparable; empty where they are.

    Device, runtime, workload and measuring code must be the same. The precision differs by design,
    but only on the candidate's side. The baseline must be in FP32, and some runtimes do not use it
    by default.
    """
    return [
        *_other_artifact(candidate, baseline),
        *_differences(candidate.provenance, baseline.provenance),
    ]


def _other_artifact(candidate: Result, baseline: Result) -> Iterator[str]:
    """The candidate names the content of its baseline; the baseline must have that content."""
    measured = set(baseline.provenance.artifacts.values())
    for reference in candidate.provenance.baselines.values():
        if reference.exp_id == baseline.exp_id and reference.sha256 not in measured:
            yield (
                f"the candidate was compared with another artifact of {baseline.exp_id} "
                f"({reference.sha256[:12]})"
            )


def _differences(ours: Provenance, theirs: Provenance) -> Iterator[str]:
    if theirs.workload_sha256 != ours.workload_sha256:
        yield (
            f"the baseline was measured on another workload "
            f"({theirs.workload_sha256[:12]}, not {ours.workload_sha256[:12]})"
        )
    if theirs.device.fingerprint != ours.device.fingerprint:
        yield (
            f"the baseline was measured on another device ({_device(theirs)}, not {_device(ours)})"
        )
    if theirs.measuring_code != ours.measuring_code:
        yield (
            f"the baseline was measured by other code ({_code(theirs)}, not {_code(ours)}): "
            f"run {theirs.task} and {ours.task} again from one commit"
        )
    if theirs.runtime is None or ours.runtime is None:
        side = "baseline" if theirs.runtime is None else "candidate"
        yield f"the {side} names no runtime"
    else:
        unlike = list(_runtime_differences(ours.runtime, theirs.runtime))
        if unlike:
            yield f"the baseline was measured on another runtime ({'; '.join(unlike)})"
        if theirs.runtime.precision != "fp32":
            yield f"the baseline ran in {theirs.runtime.precision}, not fp32"


def _device(provenance: Provenance) -> str:
    device = provenance.device
    return f"{device.kind} {device.name} {device.fingerprint[:12]}"


def _code(provenance: Provenance) -> str:
    return (provenance.measuring_code or "unknown")[:12]


def _runtime_differences(ours: Runtime, theirs: Runtime) -> Iterator[str]:
    if theirs.name != ours.name:
        yield f"{theirs.name}, not {ours.name}"
        return
    for package in sorted(theirs.versions.keys() | ours.versions.keys()):
        version, expected = theirs.versions.get(package), ours.versions.get(package)
        if version != expected:
            yield f"{package} {version or 'unknown'}, not {expected or 'unknown'}"
    if theirs.threads != ours.threads:
        yield f"{theirs.threads} threads, not {ours.threads}"
    if theirs.tf32 != ours.tf32:
        yield f"TF32 {_switch(theirs.tf32)}, not {_switch(ours.tf32)}"


def _switch(state: bool | None) -> str:
    return {True: "on", False: "off", None: "unknown"}[state]
