"""Size, data, device and runtime: what may vary without changing the experiment."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dust_core.declared.specs.models.base import SpecFile, SpecModel
from dust_core.declared.specs.models.constraints import (
    Bool,
    Int,
    RelativePath,
    Sha256,
    Text,
    refuse,
)
from dust_core.declared.specs.models.training import Size, Training
from dust_core.declared.specs.models.workload import DataSplits

Precision = Literal["fp32", "bf16", "fp16"]


class Dpt(SpecModel):
    """Widths of a DPT head (arXiv:2103.13413)."""

    layer_dims: tuple[Size, Size, Size, Size] = Field(
        description="Channels of the four levels, from stride 4 to stride 32.",
        examples=[[96, 192, 384, 768]],
    )
    feature_dim: Size = Field(description="Channels of the fusion blocks.", examples=[256])
    last_dim: Size = Field(description="Channels of the last convolution.", examples=[128])


DPT_PATCH = 16
"""Pixels that a DPT head predicts along a token's side: the network's own `DPT_PATCH`."""


class Network(SpecModel):
    """Shape of the teacher, with the fields of the network's configuration."""

    enc_dim: Size = Field(description="Channels of the encoder.", examples=[1024])
    enc_depth: Size = Field(description="Blocks of the encoder.", examples=[24])
    enc_heads: Size = Field(description="Attention heads of an encoder block.", examples=[16])
    dec_dim: Size = Field(description="Channels of each decoder.", examples=[768])
    dec_depth: Size = Field(description="Blocks of each decoder.", examples=[12])
    dec_heads: Size = Field(description="Attention heads of a decoder block.", examples=[12])
    head: Literal["linear", "dpt"] = Field(description="Kind of output head.", examples=["dpt"])
    patch_size: Size = Field(description="Side of a patch, in pixels.", examples=[16])
    dpt: Dpt | None = Field(
        default=None, description="Widths of a DPT head; null takes the published widths."
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        for side, width, heads in (
            ("enc", self.enc_dim, self.enc_heads),
            ("dec", self.dec_dim, self.dec_heads),
        ):
            if width % (4 * heads):
                raise refuse(
                    "network_heads",
                    "{field} {found} do not fit {width} channels: a head needs a multiple of 4",
                    field=f"{side}_heads",
                    found=heads,
                    width=width,
                )
        if self.dpt is not None and self.head != "dpt":
            raise refuse(
                "network_head", "a {found} head has no dpt widths", field="dpt", found=self.head
            )
        if not self.predicts(self.patch_size):
            raise refuse(
                "network_patches",
                "{field} {found} does not fit a dpt head: it needs a multiple of {multiple}",
                field="patch_size",
                found=self.patch_size,
                multiple=DPT_PATCH,
            )
        return self

    def predicts(self, patch_size: int) -> bool:
        """Whether the head can predict for patches of that side, in pixels."""
        return self.head == "linear" or patch_size % DPT_PATCH == 0


class Checkpoint(SpecModel):
    """A published checkpoint that replaces training a teacher."""

    PROSE = frozenset({"licence", "source"})

    name: Text = Field(
        description="Its published name.", examples=["DUSt3R_ViTLarge_BaseDecoder_512_dpt"]
    )
    path: RelativePath = Field(
        description="Path of the file, relative to the repository.",
        examples=["checkpoints/DUSt3R_ViTLarge_BaseDecoder_512_dpt.pth"],
    )
    sha256: Sha256 | None = Field(
        description="SHA-256 of the file; null until filled in.", examples=["0" * 64]
    )
    licence: Text = Field(description="Its licence.", examples=["CC BY-NC-SA 4.0"])
    source: Text = Field(description="Where to get the file.", examples=["the authors' page"])


class Teacher(SpecModel):
    """The network everything starts from."""

    network: Network = Field(description="Shape of the network.")
    checkpoint: Checkpoint | None = Field(
        description="A published checkpoint; null where P0-teacher trains one."
    )


class OpenSplit(SpecModel):
    """A set of shards that the user supplies; null until filled in."""

    manifest: RelativePath = Field(
        description="The set's manifest.", examples=["data/full/training/manifest.json"]
    )
    sha256: Sha256 | None = Field(description="SHA-256 of the manifest.", examples=["0" * 64])
    pairs: Annotated[Int, Field(ge=1)] | None = Field(
        description="Pairs in the set.", examples=[100000]
    )
    scenes: tuple[Text, ...] | None = Field(
        description="Scenes in the set; no two sets share one.", examples=[["scene0000_00"]]
    )


class OpenSplits(SpecModel):
    """The four sets that replace the embedded sets under a profile."""

    workload: OpenSplit = Field(description="The 20 pairs that every figure is measured on.")
    calibration: OpenSplit = Field(description="Images that set quantization ranges.")
    training: OpenSplit = Field(description="Pairs that networks are trained on.")
    validation: OpenSplit = Field(description="Pairs that stop training and choose students.")


class Device(SpecModel):
    """Where things run."""

    kind: Literal["cpu", "cuda"] = Field(description="Kind of device.", examples=["cpu"])
    count: Size = Field(description="Devices that train together.", examples=[1])


class Runtime(SpecModel):
    """The runtime that executes networks when they are measured."""

    name: Literal["openvino", "onnxruntime", "tensorrt", "torch"] = Field(
        description="Runtime of candidate and baseline alike.", examples=["openvino"]
    )
    float_precision: Precision | Literal["auto"] = Field(
        description="Precision of what stays in float in a quantized network; auto: FP32 or 16 "
        "bits, whichever times faster on the device. The FP32 baseline is always FP32.",
        examples=["bf16"],
    )
    compiler: Literal["tensorrt", "tensorrt_rtx"] = Field(
        description="What compiles the .trt engines.", examples=["tensorrt_rtx"]
    )


class ProfileSpec(SpecModel):
    """Everything that a profile may change. Lines, metrics and protocol are not part of it."""

    quotable: Bool = Field(
        description="Whether its figures may be quoted; false for ci.", examples=[True]
    )
    workload_pairs: Annotated[Int, Field(ge=1, le=20)] = Field(
        description="Pairs of the workload that are measured; a quotable profile measures all 20.",
        examples=[20],
    )
    validation_pairs: Annotated[Int, Field(ge=1)] = Field(
        description="Pairs of the validation set, from the first, that judge an epoch; at most "
        "all of them.",
        examples=[64],
    )
    teacher: Teacher = Field(description="The teacher.")
    data: Literal["embedded"] | DataSplits | OpenSplits = Field(
        description="The workload's embedded sets, or other sets.", examples=["embedded"]
    )
    device: Device = Field(description="Device.")
    threads: Annotated[Int, Field(ge=1, le=1024)] = Field(
        description="CPU threads of every measured process.", examples=[2]
    )
    runtime: Runtime = Field(description="Runtime.")
    training: Training = Field(description="Training recipes.")
    fill_in: Text | None = Field(
        default=None,
        description="What a user must supply before the profile runs, where a value is null.",
        examples=["sha256 of your checkpoint"],
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.quotable and self.workload_pairs != 20:
            raise refuse(
                "profile_pairs",
                "{found} pairs cannot be quoted: a quotable profile measures 20",
                field="workload_pairs",
                found=self.workload_pairs,
            )
        if (self.teacher.checkpoint is None) == (self.training.teacher is None):
            raise refuse(
                "profile_teacher",
                "the teacher has either a published checkpoint or a training recipe",
                field="teacher",
            )
        self._check_stages()
        self._check_distillation()
        return self

    def _check_stages(self) -> None:
        patches = [stage.patch_size for stage in self.training.teacher or ()]
        if patches:
            self._check_growth("teacher", patches, ends_whole=True)
        distill, whole = self.training.distill, self.teacher.network.patch_size
        if distill.then:
            first = distill.patch_size or whole
            later = [stage.patch_size for stage in distill.then]
            self._check_growth("distill", [first, *later], ends_whole=False)
            if sum(stage.share for stage in distill.then) >= 1:
                raise refuse(
                    "profile_shares",
                    "the shares of the stages in {field} leave no epoch for the first one",
                    field="training.distill.then",
                )

    def _check_growth(self, recipe: str, patches: list[int], *, ends_whole: bool) -> None:
        network = self.teacher.network
        for index, (patch, following) in enumerate(
            zip(patches, [*patches[1:], network.patch_size], strict=True)
        ):
            last = index == len(patches) - 1
            grows = following % patch == 0 and network.predicts(patch)
            if (last and ends_whole and following != patch) or not grows:
                raise refuse(
                    "profile_stages",
                    "patch_size {found} of stage {stage} of {recipe} in {field} does not lead to "
                    "{following}",
                    field="training",
                    recipe=recipe,
                    found=patch,
                    stage=index + 1,
                    following=following,
                )

    def _check_distillation(self) -> None:
        network = self.teacher.network
        for name in ("distill", "prune", "ablate_loss"):
            recipe = getattr(self.training, name)
            patch = recipe and recipe.patch_size
            if patch is None or patch == network.patch_size:
                continue
            if network.patch_size % patch or not network.predicts(patch):
                raise refuse(
                    "profile_distill_patches",
                    "patch_size {found} of {recipe} in {field} does not lead to {whole} with this "
                    "head",
                    field="training",
                    recipe=name,
                    found=patch,
                    whole=network.patch_size,
                )

    def read_by(self, does: str) -> Self:
        """The profile without the recipe that only ablations of the loss read, for other tasks:
        what they measured stays valid whatever it says.
        """
        if does == "ablate-loss" or self.training.ablate_loss is None:
            return self
        training = self.training.model_copy(update={"ablate_loss": None})
        return self.model_copy(update={"training": training})

    def open_values(self) -> Iterator[tuple[str, ...]]:
        """The places below `spec` where the user still has to supply a value."""
        if not isinstance(self.data, str):
            for name in type(self.data).model_fields:
                split = getattr(self.data, name)
                keys = type(split).model_fields
                yield from (("data", name, key) for key in keys if getattr(split, key) is None)
        if self.teacher.checkpoint and self.teacher.checkpoint.sha256 is None:
            yield ("teacher", "checkpoint", "sha256")


class Profile(SpecFile):
    """A file of specs/profiles."""

    kind: Literal["Profile"] = Field(description="The kind of file.", examples=["Profile"])
    spec: ProfileSpec = Field(description="Size, data, device, runtime and recipes.")
