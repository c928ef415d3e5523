"""P1: students distilled from the teacher."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Int, Number, TaskId, Within
from dust_core.declared.specs.names import DistillName, Schedule
from dust_core.declared.specs.names.vocabulary import KlForm

Share = Annotated[
    Number, Within(0.2, 0.4, "student_share", "students lose about 30 % of each dimension")
]
Epochs = Annotated[Int, Within(10, 30, "epochs", "distillation runs 10 to 30 epochs")]


class Student(SpecModel):
    """How much smaller students are. Embedding widths stay, so that features can be compared."""

    LATER = frozenset({"blocks", "units", "ffn_multiple", "refit_ridge"})

    depth: Share = Field(description="Removed fraction of the blocks.", examples=[0.3])
    heads: Share = Field(description="Removed fraction of the attention heads.", examples=[0.3])
    ffn: Share = Field(description="Removed fraction of the FFN width.", examples=[0.3])
    init: Literal["teacher_layers", "refitted_layers"] = Field(
        description="Start: the teacher's blocks, heads and channels that stay; refitted, what "
        "they write is fitted by least squares to the whole teacher's values there.",
        examples=["refitted_layers"],
    )
    blocks: Literal["even", "importance"] = Field(
        default="even",
        description="Blocks that stay: the first, the last and evenly spaced blocks between, or "
        "those whose output weights are largest.",
        examples=["even"],
    )
    units: Literal["l1", "first"] = Field(
        default="l1",
        description="Heads and FFN channels that stay: those with the largest weights, or the "
        "first ones.",
        examples=["l1"],
    )
    ffn_multiple: Annotated[Int, Field(ge=1, le=1024)] = Field(
        default=16, description="FFN widths are rounded to a multiple of this.", examples=[16]
    )
    refit_ridge: Number = Field(
        default=0.01,
        gt=0,
        le=1000,
        description="Ridge of the least-squares fit of `refitted_layers`, as a multiple of the "
        "inputs' mean square.",
        examples=[0.01],
    )


class TeachingLoss(SpecModel):
    """(1 - beta) task + beta KL_T."""

    LATER = frozenset({"correlation_sharpness"})

    task: Literal["conf_loss"] = Field(
        description="Loss against the truth: the confidence loss (DUSt3R, section 3.2).",
        examples=["conf_loss"],
    )
    alpha: Number = Field(
        gt=0, le=1, description="Weight of -log C in the confidence loss.", examples=[0.2]
    )
    kl: KlForm = Field(
        description="Form of the KL term: radial_laplace (law of the residual norm, scale "
        "alpha / C), conf_softmax, correlation or attention.",
        examples=["radial_laplace"],
    )
    correlation_sharpness: Number = Field(
        default=0.1,
        gt=0,
        le=10,
        description="Temperature of the cosines at T = 1, where kl is correlation.",
        examples=[0.1],
    )
    confidence_clamp: Number = Field(
        gt=1, le=1000, description="Upper limit of confidences in the KL term.", examples=[100.0]
    )
    mask_below_confidence: Number = Field(
        ge=1,
        le=100,
        description="The KL term leaves out pixels with a lower confidence of the teacher.",
        examples=[1.5],
    )


class DistillLoss(TeachingLoss):
    """(1 - beta) task + beta KL_T + gamma features."""

    features: tuple[Literal["enc_norm", "decoder_hooks"], ...] = Field(
        min_length=1,
        description="Activations that the feature term compares, where gamma is not 0.",
        examples=[["enc_norm", "decoder_hooks"]],
    )
    feature_distance: Literal["cosine", "squared"] = Field(
        description="Distance of the feature term.", examples=["cosine"]
    )


class DistillCommon(SpecModel):
    """What all tasks of P1 share."""

    student: Student = Field(description="Shape of students.")
    loss: DistillLoss = Field(description="Training loss.")


class BetaSchedule(SpecModel):
    """beta changes once."""

    to: Number = Field(ge=0, le=1, description="beta after the change.", examples=[0.7])
    after: Number = Field(
        gt=0, lt=1, description="Fraction of the epochs done before the change.", examples=[0.7]
    )


class DistillTask(Task):
    """Train one student."""

    does: Literal["distill"] = Field(description="Executor.", examples=["distill"])
    T: Annotated[Number, Within(1, 20, "temperature", "p^(1/T) is softer for T >= 1")] = Field(
        description="Temperature of the KL term.", examples=[3]
    )
    beta: Number = Field(ge=0, le=1, description="Weight of the KL term.", examples=[0.5])
    gamma: Number = Field(ge=0, le=1, description="Weight of the feature term.", examples=[0.0])
    beta_schedule: BetaSchedule | None = Field(
        default=None,
        description="Change of beta in training; null keeps it constant.",
        examples=[{"to": 0.7, "after": 0.7}],
    )
    epochs: Epochs = Field(
        description="Largest number of epochs; the profile sets their size.",
        examples=[30],
    )
    patience: Int = Field(
        ge=1,
        le=10,
        description="Epochs without a lower validation loss before training stops.",
        examples=[3],
    )

    def experiment(self, common: DistillCommon) -> DistillName:
        change = self.beta_schedule
        return DistillName(
            T=self.T,
            beta=self.beta,
            gamma=self.gamma,
            schedule=Schedule(to=change.to, after=change.after) if change else None,
            kl=common.loss.kl,
            run=self.run,
        )


class SelectStudent(Task):
    """Evaluate every student and keep the best."""

    does: Literal["select-student"] = Field(description="Executor.", examples=["select-student"])
    candidates: tuple[TaskId, ...] = Field(
        min_length=1, description="Tasks whose students compete.", examples=[["K-1", "K-2", "K-3"]]
    )
    choose_by: Literal["validation"] = Field(
        description="The split whose primary metric decides; never the workload.",
        examples=["validation"],
    )


DistillTaskId = Annotated[str, StringConstraints(pattern=r"^K-[0-9a-z][0-9a-z-]*$")]
AnyDistillTask = Annotated[DistillTask | SelectStudent, Field(discriminator="does")]


class DistillSpec(SpecModel):
    """The tasks of P1."""

    common: DistillCommon = Field(description="What all tasks share.")
    tasks: dict[DistillTaskId, AnyDistillTask] = Field(description="Tasks by id, K-...")


class Distill(SpecFile):
    """distill.yaml: P1."""

    STAGE: ClassVar = "K"
    kind: Literal["Distill"] = Field(description="The kind of file.", examples=["Distill"])
    spec: DistillSpec = Field(description="Loss, student and tasks.")
