"""What a calibration changed in a network, kept so that no later task computes it again."""

import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

import dust_compress.quantize
import dust_core.network.model
import dust_core.pairs.feed
from dust_compress.quantize.network import insert_quantizers, ranges, set_ranges
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.decides import digest
from dust_core.declared.specs.models.quant import Policy
from dust_core.files import atomic_path, sha256_file, sha256_of_code
from dust_core.network.checkpoint import weights_digest
from dust_core.network.checkpoint.load import read_archive
from dust_core.network.model import Dust3r

_CODE = (dust_compress.quantize, dust_core.network.model, dust_core.pairs.feed)
_LIBRARIES = ("torch", "nvidia-modelopt")
_log = logging.getLogger("dust")


def calibration_folder(task: ResolvedTask, network: Dust3r, policy: Policy, images: int) -> Path:
    """Where the calibration of a network is kept.

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
    return ARTIFACTS / task.profile_name / ".work" / f"calibration-{decided[:12]}"


def changed_once(path: Path, network: Dust3r, policy: Policy, change: Callable[[], None]) -> None:
    """Change a network in place by its calibration, or as the file of an earlier one says.

    Args:
        path: of the ranges and of the tensors that differ after the change.
        network: on the CPU, without quantizers.
        change: puts calibrated quantizers into the network, and may change its weights.
    """
    if path.is_file():
        _log.info("an earlier calibration is taken: %s", path)
        kept = read_archive(path)
        insert_quantizers(network, policy)
        set_ranges(network, kept["ranges"])
        network.load_state_dict(kept["changed"], strict=False)
        return
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    change()
    after = {name: network.state_dict()[name].cpu() for name in before}
    content = {
        "ranges": {name: amax.cpu() for name, amax in ranges(network).items()},
        "changed": {n: new for n, new in after.items() if not torch.equal(new, before[n])},
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
