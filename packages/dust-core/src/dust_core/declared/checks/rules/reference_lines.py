"""The success lines as they were agreed, in one table, by the metrics of `specs.models.METRICS`.

gates.yaml may tighten them, and loosen them only under a waiver.
"""

from dataclasses import dataclass

from dust_core.declared.specs.models import METRICS, Gate
from dust_core.declared.specs.names import stage_of


@dataclass(frozen=True, slots=True)
class Line:
    """One agreed line: the metric, the value in the metric's unit, and the baselines it allows."""

    metric: str
    value: float
    baselines: tuple[str, ...] = ()

    def loosened_by(self, gate: Gate) -> bool:
        """Whether a gate on the same metric lets more through than this line."""
        match METRICS[self.metric].op:
            case "<=":
                return gate.value > self.value
            case ">=":
                return gate.value < self.value
            case "==":
                return gate.value != self.value

    def __str__(self) -> str:
        metric = METRICS[self.metric]
        return f"{self.metric} {metric.op} {self.value:g} {metric.unit}"


TEACHER = ("P0-2",)
STUDENT = ("K-4", "KQ-1")

_KEPT = Line("delta1_drop", 1.0, TEACHER)
_PRUNED = Line("delta1_drop", 3.0, TEACHER)
_SMALLER = Line("size_or_params_down", 25.0, TEACHER)

TASK_LINES: dict[str, tuple[Line, ...]] = {
    "P0-1": (Line("missing_pairs", 0.0),),
    "P0-2": (Line("nan_count", 0.0), Line("missing_fields", 0.0)),
    "K-1": (_KEPT,),
    "K-2": (_KEPT,),
    "K-3": (Line("validation_loss_rise", 10.0),),
    "K-4": (_KEPT,),
    "Q-1": (_KEPT,),
    "Q-2": (_KEPT,),
    "Q-3": (Line("engine_built", 1.0),),
    "Q-4": (Line("t_pair_p50_down", 50.0, TEACHER),),
    "KQ-1": (Line("quality_rank", 1.0),),
    "KQ-2": (_KEPT, Line("t_pair_p50_down", 50.0, STUDENT)),
    "KQ-3": (_KEPT, Line("t_pair_p50_down", 50.0, STUDENT)),
    "P-1": (_PRUNED,),
    "P-2": (_PRUNED,),
    "P-3": (_PRUNED, _SMALLER),
    "ABL-1": (Line("missing_variants", 0.0),),
    "ABL-2": (Line("missing_variants", 0.0),),
    "ABL-3": (Line("missing_variants", 0.0),),
}
"""The lines that each task of the design must meet."""

ON_FAILURE: dict[str, str] = {
    "K-1": "stop",
    "K-2": "stop",
    "Q-1": "escalate: Q-2",
    "P-1": "stop",
    "P-2": "stop",
}
"""What a missed line must lead to, where the design says so."""


def agreed_lines(task_id: str) -> tuple[Line, ...]:
    """The lines of a task; for one that the design does not have, those of its stage's metrics."""
    if task_id in TASK_LINES:
        return TASK_LINES[task_id]
    lines: dict[str, Line] = {}
    for other, agreed in TASK_LINES.items():
        if stage_of(other) == stage_of(task_id):
            lines.update({line.metric: line for line in agreed})
    return tuple(lines.values())
