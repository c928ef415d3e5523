"""Networks that were calibrated without training, kept so that no later task does it again."""

from importlib.metadata import version
from pathlib import Path

import dust_compress.quantize
import dust_core.network.model
import dust_core.pairs.feed
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.decides import digest
from dust_core.declared.specs.models.quant import Policy
from dust_core.files import sha256_file, sha256_of_code
from dust_core.network.checkpoint import weights_digest
from dust_core.network.model import Dust3r

_CODE = (dust_compress.quantize, dust_core.network.model, dust_core.pairs.feed)
_LIBRARIES = ("torch", "nvidia-modelopt")


def calibrated_path(task: ResolvedTask, network: Dust3r, policy: Policy, images: int) -> Path:
    """Where a calibrated network is kept, if it has been calibrated.

    The name depends on all that decides the result: the network, the policy, the images and their
    size, and the code.

    Args:
        network: before its calibration.
        images: calibration images.

    Raises:
        DustError: the calibration set has no manifest.
    """
    decided = digest(
        {
            "network": weights_digest(network),
            "policy": policy,
            "images": images,
            "side": task.workload.images.height,
            "set": sha256_file(Path(task.data.calibration.manifest)),
            "code": sha256_of_code(*_CODE),
            "libraries": {name: version(name) for name in _LIBRARIES},
        }
    )
    folder = ARTIFACTS / task.profile_name / ".work" / "calibrated"
    return folder / f"{decided[:16]}.pth"
