"""How networks are trained under a profile: one recipe for each kind of training."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dust_core.declared.specs.models.base import SpecModel
from dust_core.declared.specs.models.constraints import Int, Number, RelativePath, Sha256

Size = Annotated[Int, Field(ge=1, le=65_536)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Factor = Annotated[Number, Field(ge=1, le=10)]


class Shards(SpecModel):
    """A set of shards that is too large to ship; it is rendered or imported where it is needed."""

    manifest: RelativePath = Field(
        description="The set's manifest.", examples=["data/train224/manifest.json"]
    )
    sha256: Sha256 = Field(description="SHA-256 of the manifest.", examples=["0" * 64])


class Augmentation(SpecModel):
    """Bounds of the random changes of a pair's views in training. Geometry stays exact."""

    smallest_crop: Annotated[Number, Field(gt=0, le=1)] = Field(
        description="Smallest side of a centred crop, as a share of the image's.", examples=[0.8]
    )
    flip: Annotated[Number, Field(ge=0, le=1)] = Field(
        description="Probability of mirroring both views.", examples=[0.5]
    )
    brightness: Factor = Field(
        description="Largest change of a view's brightness, as a factor.", examples=[1.3]
    )
    contrast: Factor = Field(
        description="Largest change of a view's contrast, as a factor.", examples=[1.2]
    )
    saturation: Factor = Field(
        description="Largest change of a view's saturation, as a factor.", examples=[1.3]
    )


class Recipe(SpecModel):
    """How a network is trained. The experiment sets the number of epochs."""

    LATER: ClassVar = frozenset(
        {"accumulate", "final_lr", "betas", "clip_norm", "averaging", "augmentation"}
    )

    pairs_per_epoch: Annotated[Int, Field(ge=1, le=10_000_000)] = Field(
        description="Pairs seen in an epoch.", examples=[2000]
    )
    batch: Size = Field(description="Pairs in a batch, all devices together.", examples=[16])
    side: Annotated[Int, Field(ge=32, le=512, multiple_of=16)] = Field(
        description="Side of the training images, in pixels.", examples=[224]
    )
    optimiser: Literal["adamw", "muon"] = Field(
        default="adamw",
        description="AdamW, or Muon on the blocks' matrices and AdamW on the rest.",
        examples=["adamw"],
    )
    lr: Number = Field(gt=0, le=1, description="Peak learning rate.", examples=[1e-4])
    weight_decay: Number = Field(ge=0, le=1, description="Weight decay.", examples=[0.05])
    warmup: Number = Field(
        ge=0, lt=1, description="Fraction of the steps before the peak.", examples=[0.05]
    )
    autocast: Literal["fp32", "bf16"] = Field(
        description="Precision of matrix products.", examples=["bf16"]
    )
    shards: Shards | None = Field(
        default=None,
        description="A larger set of the training set's scenes; null trains on the training set.",
    )
    accumulate: Size = Field(
        default=1,
        description="Parts of a batch that are computed one after another; their gradients make "
        "one step.",
        examples=[1],
    )
    final_lr: Number = Field(
        default=1e-6, ge=0, le=1, description="Learning rate at the end.", examples=[1e-6]
    )
    betas: tuple[Share, Share] = Field(
        default=(0.9, 0.95), description="AdamW's decays of the moments.", examples=[[0.9, 0.95]]
    )
    clip_norm: Number = Field(
        default=1.0, gt=0, le=1e6, description="Bound of the gradient's norm.", examples=[1.0]
    )
    averaging: Share | None = Field(
        default=None,
        description="Decay a step of the averaged weights, which are then the ones that are "
        "validated and kept; null trains without an average.",
        examples=[0.999],
    )
    augmentation: Augmentation | None = Field(
        default=Augmentation(
            smallest_crop=0.8, flip=0.5, brightness=1.3, contrast=1.2, saturation=1.3
        ),
        description="How views vary; null turns this off.",
    )


class Start(SpecModel):
    """Weights of an earlier training from which another one goes on."""

    LATER: ClassVar = frozenset({"heads"})

    checkpoint: RelativePath = Field(
        description="The file of the weights.", examples=["data/start/teacher_run1.pth"]
    )
    sha256: Sha256 = Field(description="SHA-256 of the file.", examples=["0" * 64])
    heads: Literal["kept", "new"] = Field(
        default="kept",
        description="Whether the output heads go on too, or are drawn anew, as they must be where "
        "the file has another kind of head.",
        examples=["kept"],
    )


class AveragedRecipe(Recipe):
    """A recipe that averages weights by default."""

    averaging: Share | None = Field(
        default=0.999,
        description="Decay a step of the averaged weights, which are then the ones that are "
        "validated and kept; null trains without an average.",
        examples=[0.999],
    )


class TeacherStage(AveragedRecipe):
    """One stage of the teacher's training, at one resolution. The profile also sets its length,
    because no experiment compares teachers.
    """

    LATER: ClassVar = frozenset({"start"})

    epochs: Annotated[Int, Field(ge=1, le=10_000)] = Field(description="Epochs.", examples=[100])
    patch_size: Size = Field(
        description="Side of a patch in this stage; it may grow from stage to stage, by whole "
        "factors, to that of the network.",
        examples=[16],
    )
    matching: Number = Field(
        default=0.3,
        ge=0,
        le=10,
        description="Weight of the term that teaches the encoder which tokens of the two views "
        "see the same surface.",
        examples=[0.3],
    )
    start: Start | None = Field(
        default=None,
        description="In the first stage: the weights that it goes on from; null draws new ones.",
    )


class PupilRecipe(AveragedRecipe):
    """How a smaller network learns from the teacher, at the network's own patches or at smaller
    ones.
    """

    patch_size: Size | None = Field(
        default=None,
        description="Side of a patch while teacher and pupil are trained on smaller images with "
        "as many tokens; a divisor of the network's. Null trains at the network's.",
        examples=[16],
    )
    refit_pairs: Size = Field(
        default=16,
        description="Training pairs on which what was cut is fitted to the teacher.",
        examples=[64],
    )


class DistillStage(AveragedRecipe):
    """A later stage of a student's training, from the best weights of the one before."""

    share: Annotated[Number, Field(gt=0, lt=1)] = Field(
        description="Share of the experiment's epochs; the first stage has what the others leave.",
        examples=[0.1],
    )
    patch_size: Size = Field(
        description="Side of a patch in this stage, of teacher and student; it may grow from stage "
        "to stage, by whole factors.",
        examples=[32],
    )


class DistillRecipe(PupilRecipe):
    """How students learn, stage by stage. The experiment's epochs and its schedule run over all
    stages, its patience within each.
    """

    LATER: ClassVar = frozenset({"then"})

    then: Annotated[tuple[DistillStage, ...], Field(max_length=7)] = Field(
        default=(), description="The stages after the first."
    )


class PruneRecipe(PupilRecipe):
    """How a pruned network is fine-tuned."""

    LATER = frozenset({"patch_size", "refit_pairs"})

    averaging: Share | None = Field(
        default=None,
        description="Decay a step of the averaged weights, which are then the ones that are "
        "validated and kept; null trains without an average.",
        examples=[0.999],
    )


class Training(SpecModel):
    """The recipe of each kind of training."""

    LATER: ClassVar = frozenset({"ablate_loss"})

    teacher: Annotated[tuple[TeacherStage, ...], Field(min_length=1, max_length=8)] | None = Field(
        description="P0-teacher, stage by stage; null with a published checkpoint."
    )
    distill: DistillRecipe = Field(description="P1, and ABL-3 without a recipe of its own.")
    qat: Recipe = Field(description="Q-2 and KQ-2.")
    prune: PruneRecipe = Field(description="Fine-tuning in P4.")
    ablate_loss: DistillRecipe | None = Field(
        default=None,
        description="ABL-3, where P1's recipe is too long to repeat for an ablation: all variants "
        "are trained by this one, the base too. Null trains them by `distill` and takes the base "
        "from P1's result.",
    )

    def of_variants(self, does: str) -> "Training":
        """The recipes of the variants of an ablation that does `does`."""
        if does != "ablate-loss" or self.ablate_loss is None:
            return self
        return self.model_copy(update={"distill": self.ablate_loss})
