"""The protocol that every runtime fulfils."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from dust_eval.arrays import Floats

Precision = Literal["fp32", "bf16", "fp16"]
Images = tuple[Floats, Floats]
_IMAGE_RANK = 4


class PairOutput(NamedTuple):
    """Points (B, H, W, 3) in view 1's frame and confidences (B, H, W), float32 numpy arrays."""

    pts3d_1: Floats
    conf_1: Floats
    pts3d_2: Floats
    conf_2: Floats


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """What is pinned so that two measurements compare.

    Attributes:
        precision: type of the float operations; on a CPU, `bf16` stands for 16 bits.
        threads: CPU threads.
        device: `cpu` or `cuda`.
        tf32: whether FP32 products may run in TF32 on a GPU.
    """

    precision: Precision = "fp32"
    threads: int
    device: Literal["cpu", "cuda"] = "cpu"
    tf32: bool = False


def image_size(shape: Sequence[int]) -> tuple[int, int] | None:
    """Height and width where a graph's first input is images (B, 3, H, W); features have none."""
    return (shape[2], shape[3]) if len(shape) == _IMAGE_RANK else None


class PairModel(Protocol):
    """A loaded model: two images (B, 3, H, W) float32 in [-1, 1] in, a pair's prediction out.

    `size` is the one height and width that it takes; None: any that its patches divide.
    """

    runtime: str
    version: str
    options: RuntimeOptions
    size: tuple[int, int] | None

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput: ...

    def prepare(self, image1: Floats, image2: Floats) -> None:
        """Bring the inputs to where `execute` reads them; not timed."""

    def execute(self) -> None:
        """Run once on the prepared inputs and wait until the outputs are complete; timed."""


class GraphModel(PairModel, Protocol):
    """A loaded graph: besides whole pairs, it runs on whatever inputs the graph has."""

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        """The graph's outputs, float32, for its inputs in their order."""
