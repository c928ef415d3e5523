"""P0: the frozen workload, and the teacher that everything is compared with."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Number
from dust_core.declared.specs.names import BaselineName


class FreezeWorkload(Task):
    """Check that data and protocol are complete, and record them."""

    does: Literal["freeze-workload"] = Field(description="Executor.", examples=["freeze-workload"])


class ConfidenceFloor(SpecModel):
    """A term that keeps confidences in a range with a useful gradient."""

    weight: Number = Field(ge=0, le=10, description="Weight of the term.", examples=[0.05])
    lowest: Number = Field(
        gt=0, le=10, description="Smallest C - 1 without a penalty.", examples=[0.05]
    )


class TokenMatching(SpecModel):
    """How tokens of two views are matched; the profile's stages weigh the term."""

    channels: Annotated[Number, Field(gt=0, le=1)] = Field(
        description="Share of the encoder's channels by which tokens are compared.", examples=[0.25]
    )
    temperature: Number = Field(
        gt=0, le=10, description="Temperature of the cosines.", examples=[0.1]
    )
    same_surface: Annotated[Number, Field(gt=0, lt=1)] = Field(
        description="Largest distance of two points on one surface, as a share of their "
        "distance from the camera.",
        examples=[0.05],
    )


class TrainTeacher(Task):
    """Train the profile's own teacher, or check and adopt the published checkpoint."""

    LATER = frozenset({"floor", "matching"})

    does: Literal["train-teacher"] = Field(description="Executor.", examples=["train-teacher"])
    alpha: Number = Field(
        gt=0,
        le=1,
        description="Weight of -log C in the confidence loss (DUSt3R, section 3.2).",
        examples=[0.2],
    )
    floor: ConfidenceFloor = Field(
        default=ConfidenceFloor(weight=0.05, lowest=0.05),
        description="The floor of the confidence, where the teacher is trained.",
    )
    matching: TokenMatching = Field(
        default=TokenMatching(channels=0.25, temperature=0.1, same_surface=0.05),
        description="The matching of tokens, where the teacher is trained.",
    )

    def experiment(self, common: Any) -> BaselineName:
        return BaselineName(what="TRAIN", run=self.run)


class EvaluateTeacher(Task):
    """Measure the teacher with the full protocol."""

    does: Literal["evaluate-teacher"] = Field(
        description="Executor.", examples=["evaluate-teacher"]
    )

    def experiment(self, common: Any) -> BaselineName:
        return BaselineName(what="FP32", run=self.run)


class JudgeTeacher(Task):
    """Hold the teacher's own quality, as it was measured, to a line."""

    does: Literal["judge-teacher"] = Field(description="Executor.", examples=["judge-teacher"])


BaselineTaskId = Annotated[str, StringConstraints(pattern=r"^P0-[0-9a-z][0-9a-z-]*$")]
BaselineTask = Annotated[
    FreezeWorkload | TrainTeacher | EvaluateTeacher | JudgeTeacher, Field(discriminator="does")
]


class BaselineSpec(SpecModel):
    """The tasks of P0."""

    tasks: dict[BaselineTaskId, BaselineTask] = Field(description="Tasks by id, P0-...")


class Baseline(SpecFile):
    """baseline.yaml: P0."""

    STAGE: ClassVar = "P0"
    kind: Literal["Baseline"] = Field(description="The kind of file.", examples=["Baseline"])
    spec: BaselineSpec = Field(description="Tasks.")
