"""The parameter fields of a record, from the parameters that name its experiment."""

from typing import TYPE_CHECKING, TypedDict

from dust_core.declared.specs.names import (
    AblationName,
    BaselineName,
    DistillName,
    ExperimentName,
    KQName,
    PruneName,
    QuantName,
    exp_id,
)
from dust_core.declared.specs.names.vocabulary import KeepFamily

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

_BITS = 8
"""The one policy that specs allow is W8A8."""


_NEEDED: dict[type[ExperimentName], tuple[tuple[type[ExperimentName], ...], ...]] = {
    KQName: ((DistillName,), (QuantName,)),
    AblationName: ((DistillName, QuantName),),
}
"""The parameters that identify an experiment: each group needs one of its members."""


class Parameters(TypedDict):
    """The first nine fields of a record, in order."""

    exp_id: str
    combo: str
    rho: float | None
    T: float | None
    beta: float | None
    gamma: float | None
    bits_w: int | None
    bits_a: int | None
    keep_list: tuple[KeepFamily, ...] | None


def task_parameters(task: "ResolvedTask", *built_on: ExperimentName) -> Parameters:
    """The fields that identify the experiment of a task, from its spec.

    Args:
        task: the task, with the tasks whose parameters it takes over.
        built_on: what is known only after execution: for KQ-2 the chosen student.

    Raises:
        ValueError: the task has no experiment of its own, or `built_on` lacks what it needs.
    """
    name = task.task.experiment(task.common)
    if name is None:
        raise ValueError(f"{task.id} runs no experiment of its own")
    taken_over = (ref.task.experiment(ref.common) for ref in task.references.values())
    named = (experiment for experiment in taken_over if experiment is not None)
    return record_parameters(name, *named, *built_on)


def record_parameters(name: ExperimentName, *built_on: ExperimentName) -> Parameters:
    """The fields that identify the experiment of a record; null where a field does not apply.

    Args:
        name: the experiment.
        built_on: experiments whose parameters it takes over: the student and the policy for a
            `KQName`, the base for an `AblationName`; none for other experiments.

    Raises:
        ValueError: `built_on` is empty for a quantized student or an ablation.
    """
    fields = Parameters(
        exp_id=exp_id(name),
        combo=name.combo,
        rho=None,
        T=None,
        beta=None,
        gamma=None,
        bits_w=None,
        bits_a=None,
        keep_list=None,
    )
    for kinds in _NEEDED.get(type(name), ()):
        if not any(isinstance(experiment, kinds) for experiment in built_on):
            raise ValueError(f"{fields['exp_id']}: say which experiments it is built on")
    for experiment in (*built_on, name):
        _apply(fields, experiment)
    return fields


def _apply(fields: Parameters, name: ExperimentName) -> None:
    match name:
        case DistillName():
            fields["T"], fields["beta"], fields["gamma"] = name.T, name.beta, name.gamma
        case PruneName():
            fields["rho"] = name.rho
        case QuantName():
            fields["bits_w"] = fields["bits_a"] = _BITS
            fields["keep_list"] = name.keep_list
        case AblationName(without=family) if family is not None:
            kept = fields["keep_list"] or ()
            fields["keep_list"] = tuple(member for member in kept if member != family)
        case AblationName(gamma=gamma) if gamma is not None:
            fields["gamma"] = gamma
        case KQName() | BaselineName() | AblationName():
            pass  # they have no parameters beyond those of `built_on`
