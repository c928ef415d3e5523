"""Running what nobody approved."""

from declared_specs import more_repeats

from manipulations.case import case
from manipulations.clone import Clone

APPROVAL = "Approval bound to what runs"


@case(
    APPROVAL,
    "A task runs with a spec that is only on the author's branch.",
    "run P0-1",
    "P0-1 is not as it was approved on main: its spec differs",
)
def own_spec(clone: Clone) -> None:
    clone.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")


@case(
    APPROVAL,
    "The same, without committing it.",
    "run P0-1",
    "P0-1 is not as it was approved on main: its spec differs",
    commits=False,
)
def own_spec_uncommitted(clone: Clone) -> None:
    clone.edit("specs/v1/baseline.yaml", "on_failure: stop", "on_failure: record")


@case(
    APPROVAL,
    "The task is unchanged, and the line that judges it is another.",
    "run P0-1",
    "P0-1 is not as it was approved on main: its spec differs",
)
def own_line(clone: Clone) -> None:
    clone.edit(
        "specs/v1/gates.yaml",
        'missing_pairs, op: "==", value: 0',
        'missing_pairs, op: "==", value: 1',
    )


@case(
    APPROVAL,
    "The workload has other turns.",
    "run P0-1",
    "P0-1 is not as it was approved on main: the workload differs",
)
def own_workload(clone: Clone) -> None:
    clone.edit("specs/v1/workload.yaml", *more_repeats())


@case(
    APPROVAL,
    "The profile has more threads.",
    "run P0-1",
    "P0-1 is not as it was approved on main: the profile differs",
)
def own_threads(clone: Clone) -> None:
    clone.edit("specs/profiles/small.yaml", "threads: 2", "threads: 4")


@case(
    APPROVAL,
    "A profile of the author's own replaces the approved one.",
    "run P0-1 --profile mine",
    "P0-1 under the profile mine is not on the branch main",
)
def own_profile(clone: Clone) -> None:
    text = clone.path("specs/profiles/small.yaml").read_text()
    clone.path("specs/profiles/mine.yaml").write_text(text.replace("name: small", "name: mine"))
