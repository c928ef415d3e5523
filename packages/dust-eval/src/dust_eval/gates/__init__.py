"""Gates: judge measured results by the lines of gates.yaml."""

from dust_eval.gates.bootstrap import (
    Resampling,
    drop_interval,
    p50_reduction_interval,
    resampling,
)
from dust_eval.gates.declared import declared_results, tasks_judged_with, unproven_results
from dust_eval.gates.effects import best_by, drop_percent, rank_by, reduction_percent
from dust_eval.gates.judge import GateLine, judge
from dust_eval.gates.stage import TaskVerdicts, judge_stage, judge_task, with_verdicts

__all__ = [
    "GateLine",
    "Resampling",
    "TaskVerdicts",
    "best_by",
    "declared_results",
    "drop_interval",
    "drop_percent",
    "judge",
    "judge_stage",
    "judge_task",
    "p50_reduction_interval",
    "rank_by",
    "reduction_percent",
    "resampling",
    "tasks_judged_with",
    "unproven_results",
    "with_verdicts",
]
