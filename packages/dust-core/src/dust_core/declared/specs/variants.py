"""The variants of an ablation: the base task, each time with another parameter."""

from dataclasses import dataclass, replace

from dust_core.declared.specs.decides import decisive, digest
from dust_core.declared.specs.models import Task
from dust_core.declared.specs.models.ablation import AblationTask
from dust_core.declared.specs.models.profile import ProfileSpec
from dust_core.declared.specs.names import AblationName, ExperimentName, exp_id
from dust_core.declared.specs.resolve import ResolvedTask
from dust_core.errors import DustError


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One network of an ablation.

    Attributes:
        name: the parameters that name its experiment.
        task: the base task with the variant's parameter. Its id is the ablation's, and its digest
            differs from that of every other variant, so that each has a work folder of its own.
        file: the name of the network's file.
        is_base: whether all its parameters are those of the base task.
    """

    name: AblationName
    task: ResolvedTask
    file: str
    is_base: bool

    @property
    def exp_id(self) -> str:
        """The id of the variant's experiment."""
        return exp_id(self.name)


def networks_of(task: ResolvedTask) -> tuple[Variant, ...]:
    """The networks that an ablation compares: its base, unless a variant is equal to it, and its
    variants.

    Raises:
        DustError: the base task does not do what the ablation varies, or the file of a network is
            not among the outputs.
    """
    own = task.task
    assert isinstance(own, AblationTask)
    base = task.references[own.base]
    if base.task.does != own.BASE_DOES:
        raise DustError(
            f"{task.id} varies a task that does {own.BASE_DOES}, and {own.base} does "
            f"{base.task.does}",
            where=f"{task.id}.base",
            fix=f"name a task that does {own.BASE_DOES}",
        )
    variants = [
        _variant(task, name, *variant.applied(base.task, base.common))
        for name, variant in zip(own.variant_experiments(), own.declared_variants, strict=True)
    ]
    if not any(variant.is_base for variant in variants):
        variants.insert(0, _variant(task, own.experiment(None), base.task, base.common))
    for variant in variants:
        if variant.file not in own.outputs:
            raise DustError(
                f"{task.id} compares its variants with {own.base}, and {variant.file} is no output",
                where=f"{task.id}.outputs",
                fix=f"add {variant.file} to them",
            )
    return tuple(variants)


def base_experiment(task: ResolvedTask) -> ExperimentName:
    """The parameters that name the experiment of an ablation's base task."""
    own = task.task
    assert isinstance(own, AblationTask)
    base = task.references[own.base]
    name = base.task.experiment(base.common)
    assert name is not None, "a task that an ablation can vary is an experiment"
    return name


def has_own_recipe(task: ResolvedTask) -> bool:
    """Whether the variants are trained otherwise than the base task's network was."""
    return _profile(task).training.distill != task.profile.training.distill


def _profile(task: ResolvedTask) -> ProfileSpec:
    """The profile, with the recipe that the variants are trained by."""
    training = task.profile.training.of_variants(task.task.does)
    return task.profile.model_copy(update={"training": training})


def _variant(task: ResolvedTask, name: AblationName, changed: Task, common: object) -> Variant:
    own = task.task
    assert isinstance(own, AblationTask)
    base = task.references[own.base]
    parameters = decisive({"task": changed, "common": common})
    return Variant(
        name=name,
        task=replace(
            base,
            id=task.id,
            profile=_profile(task),
            task=changed,
            common=common,
            digest=digest({"ablation": task.digest, "variant": parameters}),
        ),
        file=own.network_file(name),
        is_base=parameters == decisive({"task": base.task, "common": base.common}),
    )
