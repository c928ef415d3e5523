"""P5: which choices matter."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Int, Number, OneOf, TaskId, refuse
from dust_core.declared.specs.names import BASE, AblationName, FileName, exp_id, file_name
from dust_core.declared.specs.names.vocabulary import KeepFamily

TEACHER = "teacher"
"""The teacher's name in a claim: the network of P0-2."""

Metric = Literal["delta1_drop", "delta1_drop_down", "t_pair_p50_down"]
Network = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$", max_length=40)]


class Claim(SpecModel):
    """A part of the hypothesis that figures decide."""

    metric: Metric = Field(
        description="delta1_drop: drop of delta1, in percent of `against`. delta1_drop_down: by "
        "how much the drop against the teacher is less than that of `against`, in percent of it. "
        "t_pair_p50_down: median latency saved, in percent of `against`.",
        examples=["delta1_drop"],
    )
    of: Network = Field(
        description="The network that the claim is about: a variant, such as noLN, n128 or G01, "
        "or base.",
        examples=["noLN"],
    )
    against: Network = Field(
        description="The network that it is compared with: another variant, base or teacher.",
        examples=["base"],
    )
    op: Literal["<=", ">=", "<", ">"] = Field(
        description="How the metric compares with the value.", examples=["<="]
    )
    value: Number = Field(
        ge=-1000, le=1000, description="The predicted bound, in percent.", examples=[5]
    )


class KeepVariant(SpecModel):
    """The base task's keep-list without one family."""

    without: KeepFamily = Field(
        description="The family that is quantized in this variant.", examples=["layernorm"]
    )

    def applied(self, task: Task, common: Any) -> tuple[Task, Any]:
        """The base task and its file's common part, with the variant's parameter."""
        kept = tuple(family for family in common.keep_list if family != self.without)
        return task, common.model_copy(update={"keep_list": kept})


class CalibrationVariant(SpecModel):
    """The base task with another number of calibration images."""

    calibration_images: Annotated[
        Int, OneOf((128, 256, 512), "calibration_size", "ABL-2 compares 128, 256 and 512 images")
    ] = Field(description="Images that ranges are calibrated on.", examples=[128])

    def applied(self, task: Task, common: Any) -> tuple[Task, Any]:
        """The base task and its file's common part, with the variant's parameter."""
        return task.model_copy(update={"calibration_images": self.calibration_images}), common


class LossVariant(SpecModel):
    """The base task with another weight of the feature term."""

    gamma: Number = Field(ge=0, le=1, description="Weight of the feature term.", examples=[0.1])

    def applied(self, task: Task, common: Any) -> tuple[Task, Any]:
        """The base task and its file's common part, with the variant's parameter."""
        return task.model_copy(update={"gamma": self.gamma}), common


AnyVariant = KeepVariant | CalibrationVariant | LossVariant


class AblationTask(Task):
    """Variants of a base task, each different in one parameter."""

    LATER = frozenset({"claims"})
    BASE_DOES: ClassVar[str]
    """What the base task does."""

    base: TaskId = Field(description="The task that the variants are based on.", examples=["Q-1"])
    claims: tuple[Claim, ...] = Field(
        default=(),
        max_length=20,
        description="What the hypothesis says of the figures. It held if every claim holds, and "
        "is refuted if a claim is.",
    )

    @property
    def declared_variants(self) -> tuple[AnyVariant, ...]:
        """The variants, in order."""
        raise NotImplementedError

    def refers_to(self) -> tuple[str, ...]:
        return (self.base,)

    def experiment(self, common: Any) -> AblationName:
        raise NotImplementedError

    def variant_experiments(self) -> tuple[AblationName, ...]:
        """The parameters that name each variant's experiment, in order."""
        raise NotImplementedError

    def network_file(self, variant: AblationName) -> str:
        """The name of the file of a variant's network, or of the base's."""
        return file_name(FileName(role="variant", of=variant))

    @model_validator(mode="after")
    def _variants_differ(self) -> Self:
        names = self.variant_experiments()
        for index, name in enumerate(names):
            if name in names[:index]:
                raise refuse(
                    "variants",
                    "{found} is there already: {expected}",
                    field="variants",
                    index=index,
                    found=exp_id(name),
                    expected="each variant once",
                )
        return self

    @model_validator(mode="after")
    def _networks_are_outputs(self) -> Self:
        for name in self.variant_experiments():
            if self.network_file(name) not in self.outputs:
                raise refuse(
                    "ablation_outputs",
                    "{found} is absent: {expected}",
                    field="outputs",
                    found=self.network_file(name),
                    expected="the network of each variant is an output",
                )
        return self

    @model_validator(mode="after")
    def _claims_name_networks(self) -> Self:
        known = (*(name.variant for name in self.variant_experiments()), BASE, TEACHER)
        for index, claim in enumerate(self.claims):
            for name in (claim.of, claim.against):
                if name not in known:
                    raise refuse(
                        "claims",
                        "{found} is no network of this ablation: {expected}",
                        field="claims",
                        index=index,
                        found=name,
                        expected=", ".join(known),
                    )
        return self


class AblateKeep(AblationTask):
    """Which families must stay in float."""

    BASE_DOES = "ptq"
    does: Literal["ablate-keep"] = Field(description="Executor.", examples=["ablate-keep"])
    variants: tuple[KeepVariant, ...] = Field(
        min_length=1, description="Families left out, one at a time."
    )

    @property
    def declared_variants(self) -> tuple[AnyVariant, ...]:
        return self.variants

    def experiment(self, common: Any) -> AblationName:
        return AblationName(question="KEEP", run=self.run)

    def variant_experiments(self) -> tuple[AblationName, ...]:
        return tuple(
            AblationName(question="KEEP", without=v.without, run=self.run) for v in self.variants
        )


class AblateCalibration(AblationTask):
    """How many calibration images are needed."""

    BASE_DOES = "ptq"
    does: Literal["ablate-calibration"] = Field(
        description="Executor.", examples=["ablate-calibration"]
    )
    variants: tuple[CalibrationVariant, ...] = Field(
        min_length=1, description="Numbers of images, one at a time."
    )

    @property
    def declared_variants(self) -> tuple[AnyVariant, ...]:
        return self.variants

    def experiment(self, common: Any) -> AblationName:
        return AblationName(question="CALIB", run=self.run)

    def variant_experiments(self) -> tuple[AblationName, ...]:
        return tuple(
            AblationName(question="CALIB", calibration_images=v.calibration_images, run=self.run)
            for v in self.variants
        )


class AblateLoss(AblationTask):
    """Whether the feature term helps."""

    BASE_DOES = "distill"
    does: Literal["ablate-loss"] = Field(description="Executor.", examples=["ablate-loss"])
    variants: tuple[LossVariant, ...] = Field(
        min_length=1, description="Weights of the feature term, one at a time."
    )

    @property
    def declared_variants(self) -> tuple[AnyVariant, ...]:
        return self.variants

    def experiment(self, common: Any) -> AblationName:
        return AblationName(question="LOSS", run=self.run)

    def variant_experiments(self) -> tuple[AblationName, ...]:
        return tuple(
            AblationName(question="LOSS", gamma=v.gamma, run=self.run) for v in self.variants
        )


AblationTaskId = Annotated[str, StringConstraints(pattern=r"^ABL-[0-9a-z][0-9a-z-]*$")]
AnyAblation = Annotated[AblateKeep | AblateCalibration | AblateLoss, Field(discriminator="does")]


class AblationSpec(SpecModel):
    """The tasks of P5."""

    tasks: dict[AblationTaskId, AnyAblation] = Field(description="Tasks by id, ABL-...")


class Ablation(SpecFile):
    """ablation.yaml: P5."""

    STAGE: ClassVar = "ABL"
    kind: Literal["Ablation"] = Field(description="The kind of file.", examples=["Ablation"])
    spec: AblationSpec = Field(description="Tasks.")
