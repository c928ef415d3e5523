"""P4: the teacher with a smaller width."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Int, Number, Within
from dust_core.declared.specs.models.quant import FineTuneEpochs
from dust_core.declared.specs.names import PruneName
from dust_core.declared.specs.names.vocabulary import Criterion


class PruneCommon(SpecModel):
    """What all tasks of P4 share."""

    targets: tuple[Literal["heads", "ffn"], ...] = Field(
        min_length=1,
        description="What is pruned: whole attention heads, channels of the FFN.",
        examples=[["heads", "ffn"]],
    )
    criterion: Criterion = Field(
        description="Importance of a group: l1, l2 (norms of its weights) or taylor (first-order "
        "change of the loss, arXiv:1906.10771).",
        examples=["taylor"],
    )
    importance_pairs: Int = Field(
        ge=8,
        le=100_000,
        description="Training pairs whose gradients the taylor criterion reads.",
        examples=[64],
    )


class PruneTask(Task):
    """Prune and fine-tune."""

    does: Literal["prune"] = Field(description="Executor.", examples=["prune"])
    rho: Annotated[Number, Within(0.05, 0.5, "rho", "rho is a fraction of the width")] = Field(
        description="Fraction of the width that is removed.", examples=[0.1]
    )
    epochs: FineTuneEpochs = Field(
        description="Epochs of fine-tuning; the profile sets the size of an epoch.", examples=[12]
    )

    def experiment(self, common: PruneCommon) -> PruneName:
        return PruneName(rho=self.rho, criterion=common.criterion, run=self.run)


class EvaluatePruned(Task):
    """Measure the pruned networks beside the teacher."""

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
