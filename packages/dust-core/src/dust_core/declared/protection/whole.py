"""All that protects the review, as far as a clone and GitHub show it."""

import subprocess
from pathlib import Path

from dust_core.declared.protection.outcome import Outcome


def review_outcomes(folder: Path) -> list[Outcome]:
    """Everything that can be checked of the review's protection.

    Raises:
        DustError: the folder is in no git repository, or a file cannot be read.
    """
    from dust_core.declared.change.git import Repository
    from dust_core.declared.protection.local import local_outcomes
    from dust_core.declared.protection.remote import remote_outcomes
    from dust_core.declared.protection.workflow import protected_branches, read_workflow

    root = Repository.around(folder).root
    branches = protected_branches(read_workflow(root))
    outcomes = list(local_outcomes(root, _tracked(root)))
    known = Outcome("the protected branch is known", "ok", ", ".join(branches))
    if not branches:
        known = Outcome(known.check, "missing", "the workflow of the review names none")
    outcomes.append(known)
    for branch in branches:
        outcomes += remote_outcomes(root, branch)
    return outcomes


def _tracked(root: Path) -> list[str]:
    done = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True
    )
    return [name.decode("utf-8", "replace") for name in done.stdout.split(b"\0") if name]
