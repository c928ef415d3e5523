"""The waivers that apply to the lines of a stage, for those who read its verdicts."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dust_core.declared.agreed.protected import protected_values

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask, SpecSet
    from dust_core.declared.specs.models import Permission


def waivers_that_apply(
    specs: "SpecSet", tasks: Sequence["ResolvedTask"], profile: str
) -> Iterator[str]:
    """A sentence for each waiver of a line of the tasks, or of a value that they depend on.

    Args:
        specs: the specs.
        tasks: the tasks that are judged.
        profile: the profile under which they are.
    """
    lines = {name: gate for task in tasks for name, gate in task.gates.items()}
    for name, gate in lines.items():
        if waiver := gate.waiver:
            scope = f"{waiver.from_:g} to {waiver.to:g} {gate.unit}"
            yield f"{name}: a waiver permits {scope}{_who(waiver)}"
    values = protected_values(specs.files)
    names = {task.id for task in tasks}
    kinds = {specs.task_files[task.id].kind.lower() for task in tasks}
    files = {f"specs/v1/{kind}.yaml" for kind in (*kinds, "workload")}
    files.add(f"specs/profiles/{profile}.yaml")
    for permission in specs.value_waivers:
        value = values.get(permission.value)
        if value is not None and value.file in files and (not value.task or value.task in names):
            scope = f"{permission.from_} to {permission.to}"
            yield f"{permission.value}: a waiver permits {scope}{_who(permission)}"


def _who(waiver: "Permission") -> str:
    return (
        f" until {waiver.expires}, owner {waiver.owner}, approved by {waiver.approved_by}: "
        f"{waiver.reason}"
    )
