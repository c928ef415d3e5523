"""Gates: what the lines of gates.yaml say of measured results."""

from dust_eval.gates.bootstrap import Resampling, drop_interval, p50_reduction_interval
from dust_eval.gates.effects import drop_percent, reduction_percent
from dust_eval.gates.judge import Line, judge
from dust_eval.gates.stage import TaskVerdicts, judge_stage, judge_task, with_verdicts

__all__ = [
    "Line",
    "Resampling",
    "TaskVerdicts",
    "drop_interval",
    "drop_percent",
    "judge",
    "judge_stage",
    "judge_task",
    "p50_reduction_interval",
    "reduction_percent",
    "with_verdicts",
]
