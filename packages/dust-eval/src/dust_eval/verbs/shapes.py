"""What shape the network's images have."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dust_core.errors import DustError
from dust_eval.verbs.options import LEAST_SIDE

if TYPE_CHECKING:
    from dust_core.pairs.pictures.photographs import Shape
    from dust_eval.runtimes import PairModel

Aspect = Literal["square", "native"]


def image_shape(
    network: "PairModel",
    model: Path,
    *,
    side: int | None,
    mode: str,
    aspect: Aspect,
    masks: Path | None,
) -> "Shape":
    """What images are made of the photographs for a network.

    Args:
        model: its file, for messages.

    Raises:
        DustError: the network does not take them, or there is no such folder of masks.
    """
    from dust_core.pairs.framing import Mode
    from dust_core.pairs.pictures.masks import find_masks
    from dust_core.pairs.pictures.photographs import Shape
    from dust_eval.runtimes import side_of

    patch = None if aspect == "square" else _patch_of(network, model, mode)
    return Shape(
        side=_whole_patches(network, side_of(network, model, side)),
        mode=Mode(mode),
        patch=patch,
        masks=None if masks is None else find_masks(masks),
    )


def _patch_of(network: "PairModel", model: Path, mode: str) -> int:
    """The side of a network's patches, if it takes images of any shape."""
    from dust_eval.runtimes.torch_runtime import TorchModel

    if mode == "letterbox":
        raise DustError(
            "--mode letterbox makes squares, and --aspect native keeps the pictures' shape",
            fix="omit one of them",
        )
    if not isinstance(network, TorchModel):
        height, width = network.size or (0, 0)
        raise DustError(
            f"the graph takes images of {width}x{height}, and no other",
            where=str(model),
            fix="omit --aspect native, or give the checkpoint (.pth), which takes any shape",
        )
    return network.network.config.patch_size


def _whole_patches(network: "PairModel", side: int) -> int:
    """The side, if a network's patches divide it."""
    from dust_eval.runtimes.torch_runtime import TorchModel

    if not isinstance(network, TorchModel):
        return side
    patch = network.network.config.patch_size
    if side % patch:
        below = side // patch * patch
        near = [near for near in (below, below + patch) if near >= LEAST_SIDE]
        raise DustError(
            f"images of {side} pixels are not whole patches of the network, which are of {patch}",
            where="--side",
            fix=f"choose a multiple of {patch}, such as {' or '.join(map(str, near))}",
        )
    return side
