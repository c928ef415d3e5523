"""The success lines as the design agreed on them, for each kind of task.

gates.yaml declares the lines in force. It may tighten these, and loosen them only under a waiver.
They are repeated here because gates.yaml cannot be checked against itself: docs/adr/019.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dust_core.declared.specs.models import METRICS, Escalate


@dataclass(frozen=True, slots=True)
class AgreedLine:
    """One agreed line: the metric, the value in the metric's unit, and the baselines it allows."""

    metric: str
    value: float
    baselines: tuple[str, ...] = ()

    @property
    def departures(self) -> None:
        """Not listed: a waiver may depart from any value that is at least as strict."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return str(self)

    @property
    def text(self) -> str:
        """`delta1_drop <= 1 % against P0-2`."""
        return f"{self} against {' or '.join(self.baselines)}" if self.baselines else str(self)

    def __str__(self) -> str:
        metric = METRICS[self.metric]
        return f"{self.metric} {metric.op} {self.value:g} {metric.unit}"


TEACHER = ("P0-2",)
STUDENT = ("K-4", "KQ-1")

_KEPT = AgreedLine("delta1_drop", 1.0, TEACHER)
_PRUNED = AgreedLine("delta1_drop", 3.0, TEACHER)
_STABLE = AgreedLine("validation_loss_rise", 10.0)
_FINITE = AgreedLine("nan_count", 0.0)
_EVIDENCE = AgreedLine("missing_variants", 0.0)
_HALVED = AgreedLine("t_pair_p50_down", 50.0, STUDENT)
_FASTER = AgreedLine("t_pair_p50_down_fastest_float", 20.0, STUDENT)

LINES: dict[str, tuple[AgreedLine, ...]] = {
    "freeze-workload": (AgreedLine("missing_pairs", 0.0),),
    "train-teacher": (_FINITE,),
    "evaluate-teacher": (_FINITE, AgreedLine("missing_fields", 0.0)),
    "judge-teacher": (AgreedLine("delta1", 0.65),),
    "distill": (_KEPT,),
    "select-student": (_KEPT,),
    "ptq": (_KEPT,),
    "qat": (_KEPT,),
    "build-engine": (AgreedLine("engine_built", 1.0),),
    "evaluate-quant": (
        AgreedLine("t_pair_p50_down", 50.0, TEACHER),
        AgreedLine("t_pair_p50_down_fastest_float", 20.0, TEACHER),
    ),
    "choose-student": (AgreedLine("quality_rank", 1.0),),
    "qat-student": (_KEPT, _HALVED),
    "evaluate-kq": (_KEPT, _HALVED, _FASTER),
    "prune": (_PRUNED,),
    "evaluate-pruned": (_PRUNED, AgreedLine("size_or_params_down", 25.0, TEACHER)),
    "ablate-keep": (_EVIDENCE,),
    "ablate-calibration": (_EVIDENCE,),
    "ablate-loss": (_EVIDENCE,),
}
"""The agreed lines by executor (`does`), so that a new task has the lines of its kind."""

Action = Literal["stop", "escalate", "record"]
"""What a missed line leads to."""

STRICTNESS: tuple[Action, ...] = ("record", "escalate", "stop")
"""The actions from the laxest to the strictest."""

ON_FAILURE: dict[str, Action] = {
    "freeze-workload": "stop",
    "train-teacher": "stop",
    "evaluate-teacher": "stop",
    "judge-teacher": "record",
    "distill": "stop",
    "select-student": "stop",
    "ptq": "escalate",
    "qat": "stop",
    "build-engine": "stop",
    "evaluate-quant": "record",
    "choose-student": "stop",
    "qat-student": "stop",
    "evaluate-kq": "record",
    "prune": "stop",
    "evaluate-pruned": "record",
    "ablate-keep": "record",
    "ablate-calibration": "record",
    "ablate-loss": "record",
}
"""The agreed `on_failure` by executor (`does`). A task may have a stricter action."""

TAKES_OVER: dict[str, str] = {"ptq": "qat"}
"""Which kind of task may take over from which: executor -> executor of the task in its place."""

SCHEDULED = "K-3"
"""The student with a schedule for which the design requires only a stable curve. K-4 judges its
quality, and its failure is evidence."""


def agreed_lines(task_id: str, task: Mapping[str, Any]) -> tuple[AgreedLine, ...] | None:
    """The lines agreed for a task; None where nothing was agreed for its executor.

    Args:
        task_id: the task's id.
        task: its fields as they are written.
    """
    lines = LINES.get(str(task.get("does")))
    if lines is None or not _has_schedule(task):
        return lines
    return (_STABLE,) if task_id == SCHEDULED else (*lines, _STABLE)


def agreed_failure(task_id: str, task: Mapping[str, Any]) -> Action | None:
    """The agreed `on_failure` of a task; None where nothing was agreed for its executor."""
    if task_id == SCHEDULED and _has_schedule(task):
        return "record"
    return ON_FAILURE.get(str(task.get("does")))


def action_of(on_failure: Any) -> Action | None:
    """The action of an `on_failure`, as it is written or as a model; None where it has none."""
    if isinstance(on_failure, Escalate) or (
        isinstance(on_failure, Mapping) and "escalate" in on_failure
    ):
        return "escalate"
    return next((action for action in STRICTNESS if action == on_failure), None)


def is_weaker(on_failure: Any, agreed: Any) -> bool:
    """Whether an action is laxer than another: `record` than `escalate`, and this than `stop`."""
    is_, was = action_of(on_failure), action_of(agreed)
    return is_ is not None and was is not None and STRICTNESS.index(is_) < STRICTNESS.index(was)


def _has_schedule(task: Mapping[str, Any]) -> bool:
    return task.get("does") == "distill" and task.get("beta_schedule") is not None
