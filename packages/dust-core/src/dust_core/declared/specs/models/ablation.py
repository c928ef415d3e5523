"""P5: which choices matter."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Int, Number, OneOf, TaskId, refuse
from dust_core.declared.specs.names import AblationName, exp_id
from dust_core.declared.specs.names.vocabulary import KeepFamily


class KeepVariant(SpecModel):
    """The base task's keep-list without one family."""

    without: KeepFamily = Field(
        description="The family that is quantized in this variant.", examples=["layernorm"]
    )


class CalibrationVariant(SpecModel):
    """The base task with another number of calibration images."""

    calibration_images: Annotated[
        Int, OneOf((128, 256, 512), "calibration_size", "ABL-2 compares 128, 256 and 512 images")
    ] = Field(description="Images that ranges are calibrated on.", examples=[128])


class LossVariant(SpecModel):
    """The base task with another weight of the feature term."""

    gamma: Number = Field(ge=0, le=1, description="Weight of the feature term.", examples=[0.1])


class AblationTask(Task):
    """Variants of a base task, each different in one parameter."""

    base: TaskId = Field(description="The task that the variants are based on.", examples=["Q-1"])

    def refers_to(self) -> tuple[str, ...]:
        return (self.base,)

    def variant_experiments(self) -> tuple[AblationName, ...]:
        """The parameters that name each variant's experiment, in order."""
        raise NotImplementedError

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


class AblateKeep(AblationTask):
    """Which families must stay in float."""

    does: Literal["ablate-keep"] = Field(description="Executor.", examples=["ablate-keep"])
    variants: tuple[KeepVariant, ...] = Field(
        min_length=1, description="Families left out, one at a time."
    )

    def experiment(self, common: Any) -> AblationName:
        return AblationName(question="KEEP", run=self.run)

    def variant_experiments(self) -> tuple[AblationName, ...]:
        return tuple(
            AblationName(question="KEEP", without=v.without, run=self.run) for v in self.variants
        )


class AblateCalibration(AblationTask):
    """How many calibration images are needed."""

    does: Literal["ablate-calibration"] = Field(
        description="Executor.", examples=["ablate-calibration"]
    )
    variants: tuple[CalibrationVariant, ...] = Field(
        min_length=1, description="Numbers of images, one at a time."
    )

    def experiment(self, common: Any) -> AblationName:
        return AblationName(question="CALIB", run=self.run)

    def variant_experiments(self) -> tuple[AblationName, ...]:
        return tuple(
            AblationName(question="CALIB", calibration_images=v.calibration_images, run=self.run)
            for v in self.variants
        )


class AblateLoss(AblationTask):
    """Whether the feature term helps."""

    does: Literal["ablate-loss"] = Field(description="Executor.", examples=["ablate-loss"])
    variants: tuple[LossVariant, ...] = Field(
        min_length=1, description="Weights of the feature term, one at a time."
    )

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
