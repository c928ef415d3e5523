"""The protocols that every runtime implements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from dust_core.declared.specs.models.profile import Precision
from dust_eval.arrays import Floats
from dust_eval.runtimes.clock import Clock

__all__ = ["Graph", "Images", "PairModel", "PairOutput", "Precision", "RuntimeOptions", "Shape"]

Images = tuple[Floats, Floats]
Shape = tuple[int, ...]


class PairOutput(NamedTuple):
    """Points (B, H, W, 3) in view 1's frame and confidences (B, H, W), float32 numpy arrays."""

    pts3d_1: Floats
    conf_1: Floats
    pts3d_2: Floats
    conf_2: Floats


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """The settings that make two measurements comparable.

    Attributes:
        precision: type of the float operations; on a CPU, 16 bits are `bf16`.
        threads: CPU threads.
        device: `cpu` or `cuda`.
        tf32: whether FP32 products may run in TF32 on a GPU.
        as_written: whether a graph's nodes run one by one as they are written, so that Q/DQ pairs
            round values and the products between them are in float. Only ONNX Runtime does that.
    """

    precision: Precision = "fp32"
    threads: int
    device: Literal["cpu", "cuda"] = "cpu"
    tf32: bool = False
    as_written: bool = False


class PairModel(Protocol):
    """A loaded model: two images (B, 3, H, W) float32 in [-1, 1] in, a pair's prediction out.

    Attributes:
        options: the requested options.
        precision: of its float operations; it differs from the request where the processor lacks
            that precision.
        size: the only height and width that it takes; None: any that its patches divide.
        clock: times `execute`.
    """

    runtime: str
    version: str
    options: RuntimeOptions
    precision: Precision
    size: tuple[int, int] | None
    clock: Clock

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput: ...

    def prepare(self, image1: Floats, image2: Floats) -> None:
        """Copy the inputs to where `execute` reads them; not timed."""

    def execute(self) -> None:
        """Run once on the prepared inputs; timed.

        On a CPU the outputs are complete on return. On a GPU the work is queued on the stream that
        `clock` watches.
        """


class Graph(Protocol):
    """A loaded graph: float32 arrays in and out by name, of static shapes.

    Attributes:
        inputs, outputs: shapes by name; an output may have several names.
        runtime, version, options, precision, clock: as in `PairModel`.
    """

    runtime: str
    version: str
    options: RuntimeOptions
    precision: Precision
    clock: Clock
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    def bind(self, arrays: Mapping[str, Floats]) -> None:
        """Copy inputs, by name, to where `execute` reads them."""

    def execute(self) -> None:
        """As in `PairModel`."""

    def read(self, names: Sequence[str]) -> list[Floats]:
        """These outputs of the last `execute`, complete, as copies."""
