"""Whether a task was approved as it is about to run: the protected branch has the same spec.

A pull request's approval holds for the specs that it merged. Whoever changes a spec and runs it
first would choose, with the result in hand, what is reviewed. So a run of a quotable profile needs
specs that are on the protected branch, as a saved plan is what Terraform applies. A draft runs any
specs, and its verdicts are inconclusive.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.change.git import Repository, Revision
from dust_core.declared.change.snapshot import at_revision
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

PROTECTED = ("refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master")
"""Where the protected branch is looked for: the remote's default branch, else a local one."""

_FIX = "have the change merged and fetch it, or run it as a draft, which decides nothing: --draft"


@dataclass(frozen=True, slots=True)
class Identity:
    """The digests of what a reviewer approves: the task, its workload and its profile."""

    task: str
    workload: str
    profile: str

    def differs_in(self, other: "Identity") -> str:
        """The parts that differ, in words."""
        parts = {
            "its spec": self.task != other.task and self.workload == other.workload,
            "the workload": self.workload != other.workload,
            "the profile": self.profile != other.profile,
        }
        return " and ".join(name for name, differs in parts.items() if differs)


def require_approved(task: "ResolvedTask", specs: Path) -> None:
    """Check that the protected branch has the task as it is here.

    It counts as approved at the tip of the protected branch, or where HEAD left that branch: a
    clone need not have the newest specs.

    Args:
        task: what is about to run, under a quotable profile.
        specs: the folder of the specs that it was resolved from.

    Raises:
        DustError: the branch has another version of it, or none, or there is no such branch.
    """
    whole = specs.resolve()
    repository = Repository.around(whole.parent)
    tip = protected_branch(repository)
    fork = repository.merge_base(tip, repository.revision("HEAD"))
    own = _identity(task)
    approved = [
        identity
        for revision in dict.fromkeys((tip.commit, fork.commit))
        if (identity := _identity_at(repository, Revision(tip.name, revision), whole.name, task))
    ]
    if own in approved:
        return
    remote = tip.name == "refs/remotes/origin/HEAD"
    branch = "origin's default branch" if remote else tip.name.removeprefix("refs/heads/")
    if not approved:
        on = branch if remote else f"the branch {branch}"
        what = f"{task.id} under the profile {task.profile_name} is not on {on}"
    else:
        parts = own.differs_in(approved[0])
        what = f"{task.id} is not as it was approved on {branch}: {parts} differs"
    raise DustError(what, where=str(specs), fix=_FIX, exit_code=1)


def protected_branch(repository: Repository) -> Revision:
    """The tip of the protected branch, as this clone has it.

    Raises:
        DustError: there is no such branch.
    """
    for name in PROTECTED:
        try:
            return repository.revision(name)
        except DustError:
            continue
    raise DustError(
        "there is no protected branch to compare the specs with",
        where=str(repository.root),
        fix="fetch it ('git remote set-head origin --auto' finds it), or run a draft: --draft",
    )


def _identity(task: "ResolvedTask") -> Identity:
    return Identity(task.digest, task.workload_digest, task.profile_digest)


def _identity_at(
    repository: Repository, revision: Revision, specs: str, task: "ResolvedTask"
) -> Identity | None:
    """The task at a revision; None where the revision has no such task, or cannot be read."""
    from dust_core.declared.specs import resolve

    try:
        snapshot = at_revision(repository, revision, specs)
        if not snapshot.has_specs:
            return None
        return _identity(resolve(snapshot.specs, task.id, task.profile_name))
    except DustError:
        return None
