"""P3: the best student in eight bits."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import TaskId
from dust_core.declared.specs.models.quant import QatSchedule
from dust_core.declared.specs.names import KQName


class ChooseStudent(Task):
    """Take the best student of P1."""

    does: Literal["choose-student"] = Field(description="Executor.", examples=["choose-student"])


class QatStudent(QatSchedule):
    """Fine-tune the student with quantizers under P2's policy, export and compile."""

    does: Literal["qat-student"] = Field(description="Executor.", examples=["qat-student"])
    policy: TaskId = Field(
        description="Task of P2 whose policy and keep-list apply.", examples=["Q-2"]
    )

    def experiment(self, common: Any) -> KQName:
        return KQName(run=self.run)

    def refers_to(self) -> tuple[str, ...]:
        return (self.policy,)


class EvaluateKQ(Task):
    """Measure the quantized student beside the FP32 one."""

    does: Literal["evaluate-kq"] = Field(description="Executor.", examples=["evaluate-kq"])


KQTaskId = Annotated[str, StringConstraints(pattern=r"^KQ-[0-9a-z][0-9a-z-]*$")]
AnyKQTask = Annotated[ChooseStudent | QatStudent | EvaluateKQ, Field(discriminator="does")]


class KQSpec(SpecModel):
    """The tasks of P3."""

    tasks: dict[KQTaskId, AnyKQTask] = Field(description="Tasks by id, KQ-...")


class KQ(SpecFile):
    """kq.yaml: P3."""

    STAGE: ClassVar = "KQ"
    kind: Literal["KQ"] = Field(description="The kind of file.", examples=["KQ"])
    spec: KQSpec = Field(description="Tasks.")
