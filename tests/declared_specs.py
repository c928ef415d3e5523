"""What the project's specs declare today. Runs rise and recipes change, so no test spells them."""

from functools import cache
from pathlib import Path

from dust_core.declared.specs import SpecSet, load_specs

ROOT = Path(__file__).parents[1]


@cache
def specs() -> SpecSet:
    """The specs of the project."""
    return load_specs(ROOT / "specs")


def run(task: str) -> int:
    """The run of a task."""
    return specs().task(task).run


def exp_id(task: str) -> str:
    """The experiment of a task that runs one."""
    name = specs().task(task).exp_id
    assert name is not None, f"{task} runs no experiment"
    return name


def result_file(task: str) -> str:
    """The name of a task's result file."""
    return specs().task(task).result_file(task)


def variant(task: str, name: str) -> str:
    """The experiment of an ablation's variant: `noLN` of ABL_KEEP_run2 is ABL_KEEP_noLN_run2."""
    family, _, number = exp_id(task).rpartition("_")
    return f"{family}_{name}_{number}"


def more_repeats() -> tuple[str, str]:
    """How the workload spells the turns of a latency, and how it would spell ten more."""
    repeats = specs().workload.timing.repeats
    return f"repeats: {repeats}", f"repeats: {repeats + 10}"


def another_precision(profile: str = "small") -> tuple[str, str]:
    """How a profile spells the precision of floats, and how it would spell another one."""
    declared = specs().profile(profile).runtime.float_precision
    other = "bf16" if declared == "fp32" else "fp32"
    return f"float_precision: {declared}", f"float_precision: {other}"
