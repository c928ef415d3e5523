"""One model for each kind of spec file; frozen, unknown keys refused."""

from typing import Any

from dust_core.declared.specs.models.ablation import Ablation, AblationTask
from dust_core.declared.specs.models.base import Escalate, Metadata, SpecFile, SpecModel, Task
from dust_core.declared.specs.models.baseline import Baseline
from dust_core.declared.specs.models.distill import Distill
from dust_core.declared.specs.models.gates import METRICS, Gate, GateMetric, Gates
from dust_core.declared.specs.models.kq import KQ
from dust_core.declared.specs.models.profile import Profile, ProfileSpec
from dust_core.declared.specs.models.prune import Prune
from dust_core.declared.specs.models.quant import Policy, Quant
from dust_core.declared.specs.models.waivers import Permission, ValueWaiver, Waiver
from dust_core.declared.specs.models.workload import DataSplit, DataSplits, Workload, WorkloadSpec

__all__ = [
    "KINDS",
    "KQ",
    "METRICS",
    "TASK_KINDS",
    "Ablation",
    "AblationTask",
    "Baseline",
    "DataSplit",
    "DataSplits",
    "Distill",
    "Escalate",
    "Gate",
    "GateMetric",
    "Gates",
    "Metadata",
    "Permission",
    "Policy",
    "Profile",
    "ProfileSpec",
    "Prune",
    "Quant",
    "SpecFile",
    "SpecModel",
    "Task",
    "TaskFile",
    "ValueWaiver",
    "Waiver",
    "Workload",
    "WorkloadSpec",
]

TaskFile = Baseline | Distill | Quant | KQ | Prune | Ablation
AnyFile = Workload | Gates | Profile | TaskFile

TASK_KINDS: dict[str, type[TaskFile]] = {
    "Baseline": Baseline,
    "Distill": Distill,
    "Quant": Quant,
    "KQ": KQ,
    "Prune": Prune,
    "Ablation": Ablation,
}
KINDS: dict[str, type[Any]] = {
    "Workload": Workload,
    **TASK_KINDS,
    "Gates": Gates,
    "Profile": Profile,
}
"""The model of each `kind`, in reading order."""
