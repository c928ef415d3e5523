"""Provenance: what was executed, on what, and the values behind a record's figures."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dust_core.declared.records.base import Frozen, NonNegative, Positive, Sha256, Text
from dust_core.declared.records.record import QUALITY_METRICS, RECORD_FIELDS, Moment

Precision = Literal["fp32", "bf16", "fp16", "int8+fp32", "int8+bf16", "int8+fp16"]
Role = Literal["candidate", "baseline", "reference"]
Samples = Annotated[tuple[Positive, ...], Field(min_length=1)]
Versions = dict[str, Text]

FileName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$",
        max_length=300,
        description="Relative path with forward slashes that stays inside its folder",
    ),
]


class MeasuredDevice(Frozen):
    """The device of the run. Results with the same fingerprint come from the same kind of
    machine."""

    kind: Literal["cpu", "cuda"]
    name: Text = Field(description="Model name that the device reports")
    fingerprint: Sha256 = Field(
        description="SHA-256 of what decides the speed: model, cores, instruction sets, memory"
    )

    def as_text(self) -> str:
        """The device as the file on which stages with latency lines depend."""
        return f"{self.model_dump_json(indent=2)}\n"


class Runtime(Frozen):
    """The runtime of the network, with all settings that are pinned while it is timed."""

    name: Literal["torch", "onnxruntime", "openvino", "tensorrt"]
    versions: Versions = Field(min_length=1, description="Versions of the runtime's own packages")
    precision: Precision = Field(
        description="Precision of its computations; int8+bf16: INT8 products, the rest in bfloat16"
    )
    threads: int = Field(ge=1, description="CPU threads that it may use")
    tf32: bool | None = Field(description="TF32 on or off; null where the device has none")


class BaselineRef(Frozen):
    """The result that a candidate is compared with: its name and its digest."""

    exp_id: Text
    sha256: Sha256 = Field(description="SHA-256 of the baseline's measured artifact")


class Latency(Frozen):
    """Latency samples (ms) of one process in which candidate and baseline alternate.

    Sample i of both belongs to the same turn, so drift of the machine cancels in their ratio.
    """

    candidate_ms: Samples
    baseline: Text | None = Field(description="Task, in `baselines`, of the network timed in turn")
    baseline_ms: Samples | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.baseline is None) != (self.baseline_ms is None):
            raise ValueError("baseline and baseline_ms are given together or are both null")
        if self.baseline_ms is not None and len(self.baseline_ms) != len(self.candidate_ms):
            raise ValueError(
                f"{len(self.candidate_ms)} candidate samples and {len(self.baseline_ms)} baseline "
                "samples: turns come in pairs"
            )
        return self


class Provenance(Frozen):
    """What was executed, and the values that a record's figures sum up."""

    task: Text = Field(description="Task that was executed", examples=["K-1"])
    profile: Text = Field(description="Profile it was executed under", examples=["small"])
    role: Role = Field(
        description="candidate: the task's lines bind it; baseline: measured again to compare "
        "with; reference: reported beside the candidate, no line binds it"
    )
    spec_digest: Sha256 = Field(description="Digest of the resolved task that was executed")
    profile_digest: Sha256 = Field(description="Digest of the profile")
    workload_sha256: Sha256 = Field(description="Digest of the workload: pairs, metrics, protocol")
    inputs: dict[Text, Sha256] = Field(
        description="Files that were read, by their names in the task"
    )
    artifacts: dict[FileName, Sha256] = Field(
        description="Files that the task measured or wrote, relative to the result file's folder"
    )
    commit: str = Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$", description="Git commit")
    dirty: bool = Field(description="Whether the working tree differed from the commit")
    device: MeasuredDevice
    runtime: Runtime | None = Field(description="null where the task ran no network")
    versions: Versions = Field(description="Versions of Python and of the packages that matter")
    baselines: dict[str, BaselineRef] = Field(
        description="Results to compare with, keyed by the task that a line names as baseline"
    )
    per_pair: dict[str, Annotated[tuple[NonNegative, ...], Field(min_length=1)]] = Field(
        description="Quality metric -> its value for every pair, in the workload's order"
    )
    latency: Latency | None
    quantities: dict[str, float] = Field(
        description="Absolute quantities: those that lines bind, by the metric's name in "
        "gates.yaml, and counts that no line binds",
        examples=[{"nan_count": 0.0}],
    )
    started: Moment
    finished: Moment
    reasons: dict[str, Text] = Field(
        description="Record field -> why it is null, for every measured field that is null"
    )
    measuring_code: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the sources that measure; null where it was not recorded yet",
    )
    training_code: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the sources that train; null where it was not recorded yet",
    )
    draft: bool = Field(
        default=False,
        description="Whether a draft was executed: specs that no protected branch has",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.finished < self.started:
            raise ValueError("finished is before started")
        if unknown := sorted(set(self.per_pair) - set(QUALITY_METRICS)):
            raise ValueError(
                f"per_pair has {unknown[0]!r}; quality metrics are {', '.join(QUALITY_METRICS)}"
            )
        counts = {metric: len(values) for metric, values in self.per_pair.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(
                "per_pair lists differ in length: "
                + ", ".join(f"{metric} {count}" for metric, count in counts.items())
            )
        if unknown := sorted(set(self.reasons) - set(RECORD_FIELDS)):
            raise ValueError(f"reasons has {unknown[0]!r}, which is not a field of a record")
        timed_with = self.latency.baseline if self.latency else None
        if timed_with is not None and timed_with not in self.baselines:
            raise ValueError(f"latency names {timed_with!r}, absent from baselines")
        return self
