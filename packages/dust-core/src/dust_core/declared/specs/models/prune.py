"""P4: the teacher with a smaller width."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Int, Number, Within
from dust_core.declared.specs.models.distill import TeachingLoss
from dust_core.declared.specs.models.quant import FineTuneEpochs
from dust_core.declared.specs.names import PruneName
from dust_core.declared.specs.names.vocabulary import Criterion


class PruneCommon(SpecModel):
    """What all tasks of P4 share."""

    targets: tuple[Literal["heads", "ffn", "channels", "convolutions"], ...] = Field(
        min_length=1,
        description="What is removed: whole attention heads, hidden units of the FFN, channels of "
        "the residual streams, channels inside a DPT head.",
        examples=[["heads", "ffn", "channels", "convolutions"]],
    )
    criterion: Criterion = Field(
        description="Importance of a unit, summed over all of its parameters w: l1 (|w|), l2 "
        "(w^2) or taylor (|w g| with the gradient g of the task's loss, arXiv:1906.10771).",
        examples=["l1"],
    )
    rho_counts: Literal["parameters", "width"] = Field(
        description="What rho is a share of. parameters: those of the whole network; units with "
        "the least importance a parameter go first, wherever they are. width: every head count, "
        "FFN width and number of channels by itself.",
        examples=["parameters"],
    )
    least_width: Annotated[Number, Field(ge=0, lt=1)] = Field(
        description="Fraction of every head count, FFN width and number of channels that stays "
        "where rho counts parameters.",
        examples=[0.5],
    )
    multiple: Annotated[Int, Field(ge=1, le=1024)] = Field(
        description="FFN widths and numbers of channels become multiples of this.", examples=[8]
    )
    importance_pairs: Int = Field(
        ge=8,
        le=100_000,
        description="Training pairs whose gradients the taylor criterion reads.",
        examples=[64],
    )
    refit_ridge: Annotated[Number, Field(gt=0, le=1000)] = Field(
        description="Ridge of the least-squares fit of the layers after the cut, as a multiple of "
        "the inputs' mean square.",
        examples=[0.01],
    )
    loss: TeachingLoss = Field(description="Loss of the fine-tuning; the teacher is the whole one.")
    T: Annotated[Number, Within(1, 20, "temperature", "p^(1/T) is softer for T >= 1")] = Field(
        description="Temperature of the KL term.", examples=[3]
    )
    beta: Number = Field(ge=0, le=1, description="Weight of the KL term.", examples=[0.5])


class PruneTask(Task):
    """Prune and fine-tune."""

    does: Literal["prune"] = Field(description="Executor.", examples=["prune"])
    rho: Annotated[Number, Within(0.05, 0.5, "rho", "rho is a fraction")] = Field(
        description="Fraction that is removed, of what rho_counts says.", examples=[0.1]
    )
    epochs: FineTuneEpochs = Field(
        description="Largest number of epochs of fine-tuning; the profile sets their size.",
        examples=[12],
    )
    patience: Annotated[Int, Field(ge=1, le=10)] = Field(
        description="Epochs without a lower validation loss before training stops.",
        examples=[3],
    )

    def experiment(self, common: PruneCommon) -> PruneName:
        return PruneName(rho=self.rho, criterion=common.criterion, run=self.run)


class EvaluatePruned(Task):
    """Measure the pruned networks beside the teacher; the lines bind the one with the largest
    rho, and the others are references.
    """

    does: Literal["evaluate-pruned"] = Field(description="Executor.", examples=["evaluate-pruned"])


PruneTaskId = Annotated[str, StringConstraints(pattern=r"^P-[0-9a-z][0-9a-z-]*$")]
AnyPruneTask = Annotated[PruneTask | EvaluatePruned, Field(discriminator="does")]


class PruneSpec(SpecModel):
    """The tasks of P4."""

    common: PruneCommon = Field(description="What all tasks share.")
    tasks: dict[PruneTaskId, AnyPruneTask] = Field(description="Tasks by id, P-...")


class Prune(SpecFile):
    """prune.yaml: P4."""

    STAGE: ClassVar = "P"
    kind: Literal["Prune"] = Field(description="The kind of file.", examples=["Prune"])
    spec: PruneSpec = Field(description="Tasks.")
