"""What every spec file and every task has."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dust_core.declared.specs.models.constraints import Int, Name, Number, TaskId, Text, refuse
from dust_core.declared.specs.names import ExperimentName, exp_id


class SpecModel(BaseModel):
    """Frozen; unknown keys, NaN and infinity refused.

    Attributes:
        PROSE: fields that only describe the experiment; no digest covers them.
        LATER: fields that the format gained after experiments were executed. With its default such
            a field decides nothing, so that those experiments keep their identity. With any other
            value it decides like every field. The default is part of the format's version and never
            changes (docs/adr/018).

    Both apply to subclasses too, which declare only their additions.
    """

    # Building every nested model when it is imported would take a third of `dust diff`.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    PROSE: ClassVar[frozenset[str]] = frozenset()
    LATER: ClassVar[frozenset[str]] = frozenset()


class Metadata(SpecModel):
    """The name and title of a file."""

    PROSE = frozenset({"title"})
    name: Name = Field(description="Name of the file's content.", examples=["distill"])
    title: Text = Field(
        description="One line for the reports.", examples=["P1: students of the teacher"]
    )


class SpecFile(SpecModel):
    """A file of specs/: version, kind, metadata and the spec itself."""

    PROSE = frozenset({"metadata"})
    apiVersion: Literal["dust/v1"] = Field(
        description="Version of the format.", examples=["dust/v1"]
    )
    metadata: Metadata = Field(description="Name and title of the file.")


class Escalate(SpecModel):
    """The action on failure: the named task takes over."""

    escalate: TaskId = Field(description="The task that takes over.", examples=["Q-2"])


def _on_failure(value: Any) -> Any:
    if isinstance(value, Escalate) or value in ("stop", "record"):
        return value
    if isinstance(value, dict) and set(value) == {"escalate"}:
        return value
    raise refuse(
        "on_failure",
        "{found} is not {expected}",
        found=repr(value)[:60],
        expected="stop, record or {escalate: TASK}",
    )


OnFailure = Annotated[Literal["stop", "record"] | Escalate, BeforeValidator(_on_failure)]


class Task(SpecModel):
    """One task: its needs, its outputs and its lines.

    Parameters of the experiment are fields of the subclasses; `does` names the executor.
    """

    PROSE = frozenset({"title", "hypothesis", "expected_gpu_hours"})

    does: str = Field(description="Key of the executor in the entry-point group dust.tasks.")
    title: Text = Field(description="One line for tables.", examples=["Distill at T = 3"])
    hypothesis: Text = Field(
        description="A prediction with numbers, which the report compares with the outcome.",
        examples=["T = 3 and beta = 0.5 hold the drop of delta1 under 1 %."],
    )
    needs: tuple[TaskId, ...] = Field(
        default=(), description="Tasks that must have passed.", examples=[["P0-2"]]
    )
    inputs: tuple[Text, ...] = Field(
        default=(),
        description="Files read: outputs of needed tasks, by name.",
        examples=[["teacher_fp32.pth"]],
    )
    outputs: tuple[Text, ...] = Field(
        default=(),
        description="Files written to artifacts/PROFILE/.",
        examples=[["student_fp32_t3b05.pth"]],
    )
    gate: tuple[Name, ...] = Field(
        min_length=1, description="Lines of gates.yaml that the task must meet.",
        examples=[["quality"]],
    )  # fmt: skip
    on_failure: OnFailure = Field(
        description="What a missed line leads to: stop the stages after its own, record it as "
        "evidence, or escalate to a task.",
        examples=["stop", {"escalate": "Q-2"}],
    )
    run: Int = Field(
        ge=1, le=999_999, description="Number of the attempt; an executed attempt is immutable.",
        examples=[1],
    )  # fmt: skip
    exp_id: str | None = Field(
        description="Id of the experiment, spelt from its parameters; null for a task that runs "
        "no experiment of its own.",
        examples=["K_T3B05_run1"],
    )
    expected_gpu_hours: Number = Field(
        ge=0,
        le=100_000,
        description="Estimate for the full profile, in GPU hours (one A100-class device).",
        examples=[40],
    )

    def experiment(self, common: Any) -> ExperimentName | None:
        """The parameters that name the experiment; `common` is the file's `spec.common`."""
        return None

    def derived_exp_id(self, common: Any) -> str | None:
        """The id spelt from the parameters; None for a task without its own experiment."""
        name = self.experiment(common)
        return None if name is None else exp_id(name)

    def result_file(self, task_id: str) -> str:
        """The name of the file with the task's results and verdicts.

        It is the JSON file among the task's outputs. A task without a declared JSON file writes its
        log, named after its experiment or, without an experiment, after the task.

        Args:
            task_id: the task's id.
        """
        declared = [name for name in self.outputs if name.endswith(".json")]
        return declared[0] if declared else f"{self.exp_id or task_id}_log.json"

    def refers_to(self) -> tuple[str, ...]:
        """Tasks whose parameters this task takes over, beyond its needs."""
        return ()
