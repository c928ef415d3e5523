"""A task with everything that decides it."""

from dataclasses import dataclass
from typing import Any

from dust_core.declared.specs.decides import digest
from dust_core.declared.specs.models import Gate, ProfileSpec, Task, WorkloadSpec
from dust_core.declared.specs.models.profile import OpenSplits
from dust_core.declared.specs.models.workload import DataSplits
from dust_core.declared.specs.spec_set import SpecSet


@dataclass(frozen=True, kw_only=True)
class ResolvedTask:
    """The input of an executor.

    Attributes:
        id: the task's id, e.g. `K-1`.
        task: its parameters.
        common: what all tasks of its file share; None if the file has no such part.
        references: the tasks whose parameters it takes over, resolved the same way, by id.
        gates: the lines that it must meet, by name.
        result_files: the name of every task's result file, by the task's id.
        workload: data and protocol.
        profile_name: the profile's name.
        profile: size, data, device, runtime.
        digest: SHA-256 of what decides the experiment: task, common, references, lines, workload.
        profile_digest: SHA-256 of the profile, without a recipe that only other tasks read.
        workload_digest: SHA-256 of the protocol and of the workload's data under this profile.
    """

    id: str
    task: Task
    common: Any
    references: "dict[str, ResolvedTask]"
    gates: dict[str, Gate]
    result_files: dict[str, str]
    workload: WorkloadSpec
    profile_name: str
    profile: ProfileSpec
    digest: str
    profile_digest: str
    workload_digest: str

    @property
    def exp_id(self) -> str | None:
        """The id of the experiment; None for a task without its own experiment."""
        return self.task.derived_exp_id(self.common)

    @property
    def data(self) -> DataSplits | OpenSplits:
        """The four sets under this profile."""
        return self.workload.data if self.profile.data == "embedded" else self.profile.data


def resolve(specs: SpecSet, task_id: str, profile: str) -> ResolvedTask:
    """Resolve a task under a profile.

    Raises:
        DustError: there is no such task, profile, line or reference.
    """
    task, common, chosen = specs.task(task_id), specs.common(task_id), specs.profile(profile)
    gates = {name: specs.gate(name) for name in task.gate}
    references = {name: resolve(specs, name, profile) for name in task.refers_to()}
    workload = specs.workload
    protocol = {
        name: getattr(workload, name)
        for name in ("images", "pair_graph", "seed", "quality", "timing", "scene")
    }
    data = workload.data if chosen.data == "embedded" else chosen.data
    return ResolvedTask(
        id=task_id,
        task=task,
        common=common,
        references=references,
        gates=gates,
        result_files={name: member.result_file(name) for name, member in specs.tasks.items()},
        workload=workload,
        profile_name=profile,
        profile=chosen,
        digest=digest(
            {
                "task": task,
                "common": common,
                "references": {name: reference.digest for name, reference in references.items()},
                "gates": gates,
                "workload": workload,
            }
        ),
        profile_digest=digest(chosen.read_by(task.does)),
        workload_digest=digest({"protocol": protocol, "data": data.workload}),
    )
