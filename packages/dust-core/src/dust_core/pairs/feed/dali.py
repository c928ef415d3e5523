"""The DALI pipeline behind the feed (NVIDIA DALI 2.4)."""

from collections.abc import Callable
from typing import Any

from nvidia.dali import Pipeline, fn, types
from torch import Tensor
from torch.utils.dlpack import from_dlpack

_FILES = ("picture", "depth")
_CUT = ("start", "end", "mirror")
_COLOUR = ("brightness", "contrast", "saturation")


def columns(*, augment: bool, resize: bool) -> tuple[str, ...]:
    """What the source gives for each batch, in order: one list of arrays an input and view."""
    inputs = _FILES + (_CUT if resize else ()) + (_COLOUR if augment else ())
    return tuple(f"{name}{view}" for view in (0, 1) for name in inputs)


def build_pipeline(
    source: Callable[[], Any],
    *,
    batch: int,
    side: int,
    threads: int,
    device_id: int | None,
    augment: bool,
    resize: bool,
) -> Pipeline:
    """Decode, cut, scale, mirror, colour and normalise both views.

    Outputs: two images (3, side, side) float32 in [-1, 1]; two depths (side, side) in steps of the
    sample's unit, float32.

    Args:
        source: called for every batch; gives `columns(...)`, StopIteration at the end.
        device_id: the GPU that decodes; None stays on the CPU.
        augment: whether colours change.
        resize: whether views are cut or scaled; what already fits is left alone, at half the cost.
    """
    decoder = "cpu" if device_id is None else "mixed"
    # The dynamic executor may hand out the buffers of an external source before they are read.
    pipeline = Pipeline(
        batch_size=batch, num_threads=threads, device_id=device_id, exec_dynamic=False
    )
    with pipeline:
        names = columns(augment=augment, resize=resize)
        given = fn.external_source(source, num_outputs=len(names), batch=True)
        inputs = dict(zip(names, given, strict=True))
        images, depths = [], []
        for view in (0, 1):
            get = {name[:-1]: node for name, node in inputs.items() if name[-1] == str(view)}
            images.append(_image(get, side if resize else None, decoder, augment))
            depths.append(_depth(get, side if resize else None, device_id))
        pipeline.set_outputs(*images, *depths)
    pipeline.build()
    return pipeline


def to_torch(output: Any, *, copy: bool) -> Tensor:
    """A batch of equal shapes as a tensor; without a copy it is DALI's until the next run."""
    shared: Tensor = from_dlpack(output.as_tensor())
    return shared.clone() if copy else shared


def _image(get: dict[str, Any], side: int | None, decoder: str, augment: bool) -> Any:
    image = fn.decoders.image(get["picture"], device=decoder, output_type=types.RGB)
    if side is not None:
        image = fn.resize(
            image,
            size=[side, side],
            roi_start=get["start"],
            roi_end=get["end"],
            interp_type=types.INTERP_LINEAR,
            antialias=True,
        )
    if augment:
        image = fn.color_twist(
            image,
            brightness=get["brightness"],
            contrast=get["contrast"],
            saturation=get["saturation"],
        )
    return fn.crop_mirror_normalize(
        image,
        mirror=get.get("mirror", 0),
        dtype=types.FLOAT,
        output_layout="CHW",
        mean=[127.5] * 3,
        std=[127.5] * 3,
    )


def _depth(get: dict[str, Any], side: int | None, device_id: int | None) -> Any:
    # 16-bit PNGs are decoded on the CPU on every machine: GPUs' decoders give 8 bits.
    depth = fn.decoders.image(get["depth"], output_type=types.ANY_DATA, dtype=types.UINT16)
    if device_id is not None:
        depth = depth.gpu()
    depth = fn.cast(depth, dtype=types.FLOAT)
    if side is not None:
        # Between two depths there is no surface: the nearest one is taken, never a mean.
        depth = fn.resize(
            depth,
            size=[side, side],
            roi_start=get["start"],
            roi_end=get["end"],
            interp_type=types.INTERP_NN,
        )
        depth = fn.flip(depth, horizontal=get["mirror"])
    return fn.squeeze(depth, axes=[2])
