"""A measured network: its file, its loaded form and its measurement."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.records import Measurement, Runtime
from dust_core.declared.records.provenance import Precision as Computed
from dust_core.network.model import Dust3r
from dust_eval.quality import QualityReport
from dust_eval.runtimes import PairModel, Precision

if TYPE_CHECKING:
    from dust_eval.scene import SceneTime

_FLOATS: Mapping[Computed, Precision] = {
    "fp32": "fp32",
    "bf16": "bf16",
    "fp16": "fp16",
    "int8+fp32": "fp32",
    "int8+bf16": "bf16",
    "int8+fp16": "fp16",
}
"""The precision of float operations, by the precision of a network."""

_IN_EIGHT_BITS: Mapping[Precision, Computed] = {
    "fp32": "int8+fp32",
    "bf16": "int8+bf16",
    "fp16": "int8+fp16",
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network to measure.

    Attributes:
        path: a checkpoint (.pth), a graph (.onnx) or an engine (.trt); a checkpoint is exported
            for a runtime that reads graphs.
        computed: the precision that it should compute in, such as `int8+bf16`.
        network: the float network behind it, for its parameters and operations; read from `path`
            if that is a checkpoint and this is None.
        notes: a line for the record's reader.
        scene: whether whole scenes are timed too.
        graph: what an engine was compiled from, whose parts encode an image once.
    """

    path: Path
    computed: Computed
    network: Dust3r | None = None
    notes: str | None = None
    scene: bool = False
    graph: Path | None = None

    @property
    def floats(self) -> Precision:
        """The precision that the runtime is given for float operations."""
        return _FLOATS[self.computed]

    @property
    def eight_bit(self) -> bool:
        """Whether products run in INT8."""
        return self.computed in _IN_EIGHT_BITS.values()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The measurement of a subject, for a record, and the runtime that it ran on."""

    measured: Measurement
    runtime: Runtime


@dataclass
class Loaded:
    """A subject ready to run, and its measurements so far.

    Attributes:
        model: the subject in the profile's runtime.
        file: the file that the runtime read: the subject's own, its graph or its engine.
        device_peak_gb: device memory that it takes; None on a CPU.
        samples_ms: latency by turn.
        settled: whether it became steady before the turns.
        scene: the time of a scene, or None for the reason `no_scene`.
    """

    subject: Subject
    model: PairModel
    file: Path
    quality: QualityReport
    device_peak_gb: float | None = None
    samples_ms: tuple[float, ...] = ()
    settled: bool = True
    scene: "SceneTime | None" = None
    no_scene: str = "no scene was asked for"

    @property
    def computed(self) -> Computed:
        """The precision in which it computes on this machine."""
        floats = self.model.precision
        return _IN_EIGHT_BITS[floats] if self.subject.eight_bit else floats
