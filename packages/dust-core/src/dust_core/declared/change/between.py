"""The difference between two revisions of the project in a folder."""

from datetime import UTC, datetime
from pathlib import Path

from dust_core.declared.agreed.owners import CODEOWNERS, Approvers, authors_of, owners_of
from dust_core.declared.change.deciding import deciding_files
from dust_core.declared.change.diff import Difference, difference
from dust_core.declared.change.git import Repository, Revision
from dust_core.declared.change.snapshot import at_revision, in_working_tree
from dust_core.errors import DustError


def difference_between(base: str, head: str | None, specs: Path) -> Difference:
    """Compare a revision, or the working tree, with the commit where it left its base.

    Args:
        base: the revision that the change would be merged into.
        head: the revision under review; None for the working tree.
        specs: the folder of the specs in the project.

    Raises:
        DustError: a revision is unknown or cannot be read, or neither side has specs.
    """
    project, folder = project_of(specs)
    repository = Repository.around(project)
    target = repository.revision(base)
    tip = repository.revision("HEAD" if head is None else head)
    # A pull request holds what changed since it branched off. Later commits of the base are not
    # part of it, but what they executed stays executed.
    fork = repository.merge_base(target, tip)
    current = at_revision(repository, target, folder)
    old = current if fork == target else at_revision(repository, fork, folder)
    new = (
        at_revision(repository, tip, folder)
        if head is not None
        else in_working_tree(project, folder)
    )
    if not (old.has_specs or new.has_specs):
        raise DustError(
            "neither side has specs",
            where=str(specs),
            fix="run this in the project's folder, or use --specs",
        )
    approvers = _approvers(repository, target, fork, tip, folder, with_user=head is None)
    deciding = deciding_files(repository, fork, None if head is None else tip)
    return difference(old, new, current, datetime.now(UTC).date(), approvers, deciding)


def project_of(specs: Path) -> tuple[Path, str]:
    """The folder of the project, and the name of the folder of the specs in it."""
    whole = specs.resolve()
    return whole.parent, whole.name


def _approvers(
    repository: Repository,
    target: Revision,
    fork: Revision,
    tip: Revision,
    specs: str,
    *,
    with_user: bool,
) -> Approvers:
    """Who may approve a waiver by the base, and who may not because he changes the specs.

    Args:
        with_user: whether changes that are not committed yet are under review too.
    """
    owners = repository.files(target, CODEOWNERS).get(CODEOWNERS, b"").decode("utf-8", "replace")
    persons = repository.authors(fork, tip, specs)
    persons += repository.user() if with_user else []
    return Approvers(owners_of(owners), authors_of(persons))
