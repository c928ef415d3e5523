"""Before a stage runs: whether its baselines were measured on a device like the worker's."""

from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import read_result_file
from dust_core.errors import DustError
from dust_eval.cluster.order import Member
from dust_eval.gates.dvc_process import run_dvc

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


def require_comparable(specs: "SpecSet", profile: str, task: str, worker: Member) -> None:
    """Check that the baselines of a task's lines were measured on a device like the worker's.

    Nothing is checked where figures are not to be quoted, since lines bind nothing there.

    Args:
        specs: the specs.
        profile: the profile.
        task: the stage; `device` has no lines.
        worker: a worker that may get the stage.

    Raises:
        DustError: a baseline was measured on another device, so the verdict would be inconclusive.
    """
    if task not in specs.tasks or not specs.profile(profile).quotable:
        return
    baselines = {specs.gate(name).baseline for name in specs.tasks[task].gate}
    for baseline in sorted(filter(None, baselines)):
        file = ARTIFACTS / profile / specs.tasks[baseline].result_file(baseline)
        _require_same(file, profile, f"{task} is compared with {baseline}", baseline, worker)


def _require_same(file: Path, profile: str, relation: str, baseline: str, worker: Member) -> None:
    if not file.is_file():
        run_dvc(profile, "pull", "--quiet", str(file))
    devices = (result.provenance.device for result in read_result_file(file).results)
    other = next((device for device in devices if device.fingerprint != worker.device), None)
    if other is not None:
        raise DustError(
            f"{relation}, which was measured on another device: {other.name} "
            f"{other.fingerprint[:12]}, not {worker.device_name} {worker.device[:12]}",
            where=str(file),
            fix=f"start workers on that device, or measure {baseline} anew: declare its next run",
        )
